"""A request is checked before anything is touched."""

from __future__ import annotations

import re

import pytest

from meshflow import errors
from meshflow.release import request
from meshflow.release.request import Request

DIGEST = "sha256:" + "0123456789abcdef" * 4
GOOD = {"service": "frontend", "image": "ghcr.io/weather/frontend:1.2.3", "reason": "fix", "requested_by": "ann"}


def of(**changes):
    return Request.of({**GOOD, **changes}, services=["frontend", "api-gateway"])


def test_a_tag_is_accepted_and_becomes_a_digest_once_it_is_known():
    asked = of()
    assert (asked.tag, asked.digest) == ("1.2.3", None)
    known = asked.resolved(DIGEST)
    assert known.pinned == f"ghcr.io/weather/frontend@{DIGEST}"
    assert known.image == f"ghcr.io/weather/frontend:1.2.3@{DIGEST}"


def test_the_run_id_comes_from_service_and_digest_alone_so_a_push_is_one_run():
    first = of().resolved(DIGEST)
    again = of(image=f"ghcr.io/weather/frontend@{DIGEST}", reason="pushed twice", requested_by="webhook")
    assert first.run_id == again.run_id == "rollout__frontend__0123456789ab"
    assert re.fullmatch(r"[A-Za-z0-9_.~:+-]+", first.run_id), "what Airflow takes as a run id"


def test_without_a_digest_there_is_no_run_id_and_no_pinned_image():
    for attribute in ("run_id", "pinned"):
        with pytest.raises(ValueError, match="not resolved"):
            getattr(of(), attribute)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"service": "backend"}, "service", "Use one of: api-gateway, frontend"),
        ({"service": None}, "service", "no such service"),
        ({"image": "frontend:1"}, "image", "not an image with its registry"),
        ({"image": ""}, "image", "not an image"),
        ({"image": "ghcr.io/weather/frontend"}, "image", "neither tag nor digest"),
        ({"image": "ghcr.io/weather/frontend:a b"}, "image", "not a tag"),
        ({"image": "ghcr.io/Weather/frontend:1"}, "image", "not an image"),
        ({"digest": "sha256:abc"}, "digest", "64 hexadecimal"),
        ({"digest": DIGEST.upper()}, "digest", "lower case"),
        ({"image": f"ghcr.io/w/f@{DIGEST}", "digest": DIGEST.replace("0", "1")}, "digest", "Give it once"),
        ({"reason": "x" * 501}, "reason", "longer than 500"),
    ],
)
def test_wrong_input_names_the_parameter_and_the_way_out(changes, field, words):
    with pytest.raises(errors.InvalidInput) as found:
        of(**changes)
    assert found.value.field == field
    assert words in str(found.value)


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("ghcr.io/a/b:1", ("ghcr.io/a/b", "1", None)),
        ("localhost:5000/a:1", ("localhost:5000/a", "1", None)),
        (f"localhost:5000/a@{DIGEST}", ("localhost:5000/a", None, DIGEST)),
        (f"localhost:5000/a:1@{DIGEST}", ("localhost:5000/a", "1", DIGEST)),
    ],
)
def test_a_port_is_no_tag(image, parts):
    assert request.split_image(image) == parts


def test_a_request_survives_json():
    known = of().resolved(DIGEST)
    assert Request.from_json(known.to_json()) == known


def test_a_reason_is_one_line():
    assert of(reason=" two\n lines ").reason == "two lines"
    assert of(requested_by="ann\n2026-11-23 asked for by the CEO").requested_by == "ann 2026-11-23 asked for by the CEO"
