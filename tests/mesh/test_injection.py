"""Who gets a sidecar, who has one, and what is wrong with it."""

from __future__ import annotations

import pytest

from meshflow.mesh import injection
from meshflow.objects.reference import Reference

REV = "istio.io/rev"
INJECT = "sidecar.istio.io/inject"


def labelled(labels, name="weather"):
    return {"metadata": {"name": name, "labels": labels}}


CASES = [
    # namespace labels, pod labels, revision (None: not injected)
    ({"istio-injection": "enabled"}, {}, "default"),
    ({"istio-injection": "enabled", REV: "canary"}, {}, "default"),
    ({"istio-injection": "disabled", REV: "canary"}, {INJECT: "true"}, None),
    ({"istio-injection": "yes"}, {}, None),
    ({REV: "1-30-3"}, {}, "1-30-3"),
    ({REV: "1-30-3"}, {INJECT: "false"}, None),
    ({"istio-injection": "enabled"}, {INJECT: "false"}, None),
    ({}, {INJECT: "true"}, "default"),
    ({}, {REV: "stable"}, "stable"),
    ({}, {REV: "stable", INJECT: "false"}, None),
    ({}, {}, None),
    # what is neither true nor false is nothing said; without a namespace's label only exactly "true" asks for a proxy
    ({"istio-injection": "enabled"}, {INJECT: "no"}, "default"),
    ({"istio-injection": "enabled"}, {INJECT: "False"}, "default"),
    ({}, {INJECT: "yes"}, None),
    ({}, {INJECT: "True"}, None),
]


@pytest.mark.parametrize(
    ("labels", "annotations", "inject"),
    [
        ({}, {INJECT: "false"}, False),
        ({}, {INJECT: "off"}, True),
        ({INJECT: "true"}, {INJECT: "false"}, True),
        ({INJECT: "false"}, {INJECT: "true"}, False),
        ({INJECT: ""}, {INJECT: "false"}, True),
    ],
)
def test_the_older_annotation_is_honoured_where_there_is_no_label(labels, annotations, inject):
    pod = {"metadata": {"labels": labels, "annotations": annotations}}
    assert injection.wanted(labelled({"istio-injection": "enabled"}), pod).inject is inject


@pytest.mark.parametrize(("namespace", "pod", "revision"), CASES)
def test_labels_decide_as_the_injectors_webhooks_select(namespace, pod, revision):
    found = injection.wanted(labelled(namespace), {"metadata": {"labels": pod}})
    assert (found.inject, found.revision) == (revision is not None, revision)
    assert found.why


def test_a_pod_on_the_hosts_network_is_never_injected():
    found = injection.wanted(labelled({"istio-injection": "enabled"}), {"spec": {"hostNetwork": True}})
    assert not found.inject
    assert "network" in found.why


def test_namespaces_of_kubernetes_are_never_injected():
    assert not injection.wanted(labelled({"istio-injection": "enabled"}, name="kube-system"), {}).inject


@pytest.mark.parametrize("native", [True, False])
def test_a_proxy_is_found_in_both_container_lists_with_its_own_status(pod, native):
    proxy = injection.proxy_of(pod(proxy="1.30.3", native=native))
    assert proxy is not None
    assert (proxy.version, proxy.ready, proxy.native) == ("1.30.3", True, native)


def test_a_proxy_that_is_not_ready_says_why(pod):
    proxy = injection.proxy_of(pod(proxy="1.30.3", ready=False))
    assert proxy is not None
    assert not proxy.ready
    assert "ImagePullBackOff" in proxy.message


def test_a_pod_without_proxy_has_none(pod):
    assert injection.proxy_of(pod()) is None


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.istio.io/release/proxyv2:1.30.3", "1.30.3"),
        ("registry.istio.io/release/proxyv2:1.30.3-distroless", "1.30.3"),
        ("localhost:5000/proxyv2:1.31.0-rc.0@sha256:aa", "1.31.0-rc.0"),
        ("localhost:5000/proxyv2@sha256:aa", ""),
        ("localhost:5000/proxyv2", ""),
    ],
)
def test_the_version_is_the_images_tag_without_its_variant(image, version):
    assert injection.version_of(image) == version


def test_the_injectors_note_tells_the_revision_and_survives_nonsense(pod):
    noted = pod(proxy="1.30.3", annotations={injection.STATUS: '{"revision":"canary"}'}, labels={REV: "other"})
    nonsense = pod(proxy="1.30.3", annotations={injection.STATUS: "[1"}, labels={REV: "other"})
    assert injection.proxy_of(noted).revision == "canary"
    assert injection.proxy_of(nonsense).revision == "other"


def test_what_a_pod_lacks_is_said_with_both_versions(pod):
    want = injection.Injection(True, "default", "a label")
    assert injection.lacks(pod(proxy="1.30.3"), want, version="1.30.3") is None
    assert injection.lacks(pod(proxy="1.29.0"), want, version="1.30.3") == "proxy 1.29.0, the control plane is 1.30.3"
    assert "a label" in injection.lacks(pod(), want, version="1.30.3")
    assert injection.lacks(pod(), injection.Injection(False, None, "no"), version="1.30.3") is None


def test_a_tag_counts_as_the_revision_that_serves_it(pod):
    want = injection.Injection(True, "stable", "a label")
    new = pod(proxy="1.30.3", annotations={injection.STATUS: '{"revision":"1-30-3"}'})
    assert injection.lacks(new, want, version="", revisions={"stable": "1-30-3"}) is None
    assert "wanted 1-31-0" in injection.lacks(new, want, version="", revisions={"stable": "1-31-0"})


def test_the_chain_of_owners_ends_at_the_workload(pod):
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": "web-5d",
            "namespace": "weather",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": True}],
        },
    }
    owners = injection.by_reference([replicas])
    owner = injection.owner_of(pod(owner=("ReplicaSet", "web-5d")), owners)
    assert owner == Reference("apps", "Deployment", "weather", "web")
    assert injection.owner_of(pod(), owners) == Reference("", "Pod", "weather", "web-1")
    assert injection.owner_of(pod(owner=("Thing", "x")), owners).kind == "Thing"


def test_a_deployment_that_belongs_to_a_canary_is_a_workload_all_the_same(pod):
    def owned(kind, name, by, api_version):
        owner = {"apiVersion": api_version, "kind": by, "name": "web", "controller": True}
        metadata = {"name": name, "namespace": "weather", "ownerReferences": [owner]}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata}

    primary = owned("Deployment", "web-primary", "Canary", "flagger.app/v1beta1")
    replicas = owned("ReplicaSet", "web-primary-5d", "Deployment", "apps/v1")
    replicas["metadata"]["ownerReferences"][0]["name"] = "web-primary"
    owners = injection.by_reference([primary, replicas])
    owner = injection.owner_of(pod(owner=("ReplicaSet", "web-primary-5d")), owners)
    assert owner == Reference("apps", "Deployment", "weather", "web-primary")
