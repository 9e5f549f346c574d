"""What registries say of a push, read into one form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow import errors
from meshflow.release.push import FORMATS, Push, read

DIGEST = f"sha256:{'0' * 63}a"
PLATFORM = f"sha256:{'0' * 63}b"


def event(digest: str, action: str = "push", **target: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "action": action,
        "target": {"repository": "acme/web", "digest": digest, **target},
        "request": {"host": "registry.example.com:5000"},
    }


def github(word: str = "package", **version: Any) -> dict[str, Any]:
    found = {
        "version": DIGEST,
        "package_url": "ghcr.io/acme/web:1.2",
        "container_metadata": {"tag": {"name": "1.2", "digest": DIGEST}},
        **version,
    }
    return {"action": "published", word: {"package_type": "CONTAINER", "package_version": found}}


def harbor(kind: str = "PUSH_ARTIFACT", tag: str = "1.2") -> dict[str, Any]:
    resource = {"digest": DIGEST, "tag": tag, "resource_url": f"harbor.example.com/acme/web:{tag}"}
    return {
        "type": kind,
        "event_data": {"resources": [resource], "repository": {"repo_full_name": "acme/web", "name": "web"}},
    }


PUSHES = [
    (
        "distribution",
        {
            "events": [
                event(PLATFORM),
                event(DIGEST, tag="1.2"),
                event(DIGEST, tag="1.2"),
                event(DIGEST, "pull", tag="1"),
            ]
        },
        [Push("registry.example.com:5000/acme/web", "1.2", DIGEST)],
    ),
    (
        "dockerhub",
        {"repository": {"repo_name": "acme/web"}, "push_data": {"tag": "1.2"}},
        [("docker.io/acme/web", "1.2", None)],
    ),
    (
        "dockerhub",
        {"repository": {"repo_name": "web"}, "push_data": {"tag": "1"}},
        [("docker.io/library/web", "1", None)],
    ),
    ("ghcr", github(), [("ghcr.io/acme/web", "1.2", DIGEST)]),
    ("ghcr", github("registry_package"), [("ghcr.io/acme/web", "1.2", DIGEST)]),
    ("ghcr", github(container_metadata={"tag": {"name": "", "digest": ""}}), []),
    ("ghcr", {"zen": "Keep it logically awesome.", "hook_id": 1}, []),
    ("ghcr", {"package": {"package_type": "npm"}}, []),
    ("harbor", harbor(), [("harbor.example.com/acme/web", "1.2", DIGEST)]),
    ("harbor", harbor("DELETE_ARTIFACT"), []),
    ("harbor", harbor(tag=f"sha256-{'a' * 64}"), []),
    ("quay", {"docker_url": "quay.io/acme/web", "updated_tags": [f"sha256-{'a' * 64}.sig"]}, []),
    (
        "quay",
        {"docker_url": "quay.io/acme/web", "updated_tags": ["sha256-a"]},
        [("quay.io/acme/web", "sha256-a", None)],
    ),
    ("harbor", harbor(tag=DIGEST), []),
    (
        "quay",
        {"docker_url": "quay.io/acme/web", "updated_tags": ["1.2", "latest"]},
        [("quay.io/acme/web", "1.2", None), ("quay.io/acme/web", "latest", None)],
    ),
]


@pytest.mark.parametrize(("registry", "payload", "pushes"), PUSHES)
def test_each_registrys_words_become_pushes(registry, payload, pushes) -> None:
    assert list(read(registry, payload)) == pushes


@pytest.mark.parametrize(
    ("registry", "payload", "said"),
    [
        ("distribution", {"event": []}, "events: is missing"),
        ("distribution", {"events": [{**event(DIGEST, tag="1"), "request": {}}]}, "request.host: is missing"),
        ("distribution", {"events": [event("latest", tag="1")]}, "digest: is no digest of an image"),
        ("dockerhub", {"repository": {"repo_name": "Acme/../web"}, "push_data": {"tag": "1"}}, "is no repository"),
        ("quay", {"docker_url": "quay.io/acme/web", "updated_tags": "1.2"}, "updated_tags: is not a list"),
        ("quay", {"docker_url": "quay.io/acme/web", "updated_tags": ["1.2\n"]}, "tag: is no tag of an image"),
        ("quay", {"docker_url": "quay.io/acme/web\n", "updated_tags": ["1"]}, "repository: is no repository"),
        ("distribution", {"events": [event(DIGEST + "\n", tag="1")]}, "digest: is no digest of an image"),
        ("harbor", [], "is not a JSON object"),
        ("gitlab", {}, "no such registry format"),
        ("gchr", {}, "did you mean 'ghcr'"),
    ],
)
def test_what_is_not_in_the_registrys_format_is_said_with_its_place(registry, payload, said) -> None:
    with pytest.raises(errors.InvalidInput, match=said):
        read(registry, payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["events", "target", "tag", "action", "package", "package_version", "type", "event_data", "x"]
            ),
            inner | st.sampled_from(["push", "PUSH_ARTIFACT", "container"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(FORMATS)), JSON)
def test_whatever_is_sent_is_read_or_refused_in_one_sentence(registry, payload) -> None:
    try:
        pushes = read(registry, payload)
    except errors.InvalidInput:
        return
    assert all(push.repository and push.tag for push in pushes)
