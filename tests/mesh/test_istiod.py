"""The control plane, read from its objects and its answer."""

from __future__ import annotations

import pytest

from meshflow.mesh import istiod


def configuration(kind: str = "Mutating", *, labels=None, service="istiod", bundle="Q0E=") -> dict:
    config = {"service": {"name": service, "namespace": "istio-system"}, **({"caBundle": bundle} if bundle else {})}
    return {
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": "hooks", "labels": labels or {}},
        "webhooks": [{"name": "a.istio.io", "clientConfig": config, "failurePolicy": "Fail"}],
    }


def test_control_planes_are_found_by_label_with_revision_and_version():
    deployment = {
        "metadata": {"name": "istiod-1-30-3", "labels": {"app": "istiod", "istio.io/rev": "1-30-3"}},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": [{"name": "discovery", "image": "x/pilot:1.30.3"}]}},
        },
        "status": {"availableReplicas": 1},
    }
    other = {"metadata": {"name": "web", "labels": {"app": "web"}}}
    assert istiod.control_planes([other, deployment]) == (("istiod-1-30-3", "1-30-3", "1.30.3", 1, 2),)


def test_webhooks_of_others_are_left_out():
    hooks = istiod.webhooks(
        [configuration(), configuration("Validating", bundle=""), configuration(service="cert-manager")]
    )
    assert [(hook.configuration.split("/")[0], hook.has_bundle) for hook in hooks] == [
        ("MutatingWebhookConfiguration", True),
        ("ValidatingWebhookConfiguration", False),
    ]


def test_tags_are_resolved_to_revisions():
    tagged = configuration(labels={"istio.io/rev": "1-30-3", "istio.io/tag": "stable"})
    plain = configuration(labels={"istio.io/rev": "default"})
    assert istiod.revisions([tagged, plain]) == {"stable": "1-30-3", "default": "default"}
    default = configuration(labels={"istio.io/rev": "1-30-3", "istio.io/tag": "default"})
    assert istiod.revisions([plain, default]) == {"default": "1-30-3"}


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("1.30.3-5b1c2d3e4f-Clean", "1.30.3"),
        ("1.31.0-rc.0-5b1c2d3e4f-Clean", "1.31.0-rc.0"),
        ("v1.30.3", "1.30.3"),
        ({"version": "1.30.3"}, "1.30.3"),
        ({"clientVersion": {"version": "1.30.3"}}, "1.30.3"),
        ("not found", ""),
        (None, ""),
        ({}, ""),
    ],
)
def test_the_version_is_read_from_whatever_istiod_answers(answer, version):
    assert istiod.answered_version(answer) == version
