"""Effective mutual TLS by Istio's precedence, and rules that contradict it."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow.mesh import mtls
from meshflow.mesh.mtls import Mode

Obj = dict[str, Any]
LABELS = {"app": "web"}


def policy(
    name: str,
    mode: str | None = None,
    *,
    namespace: str = "weather",
    selector: dict[str, str] | None = None,
    ports: dict[Any, str] | None = None,
    created: str = "2026-01-01T00:00:00Z",
) -> Obj:
    spec: Obj = {"mtls": {"mode": mode}} if mode else {}
    if selector is not None:
        spec["selector"] = {"matchLabels": selector}
    if ports:
        spec["portLevelMtls"] = {port: {"mode": value} for port, value in ports.items()}
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": metadata, "spec": spec}


MESH = policy("mesh", "STRICT", namespace="istio-system")
WIDE = policy("wide", "PERMISSIVE")
NARROW = policy("narrow", "STRICT", selector=LABELS)


def on(*policies: Obj, port: int = 8080, namespace: str = "weather", **more: Any) -> mtls.Effective:
    (found,) = mtls.effective(LABELS, namespace=namespace, ports=[port], policies=policies, **more)
    return found


def test_without_any_policy_a_port_is_permissive_by_default():
    assert on() == (8080, Mode.PERMISSIVE, mtls.DEFAULT, ())


@pytest.mark.parametrize(
    ("policies", "mode", "decided"),
    [
        ([MESH], Mode.STRICT, "PeerAuthentication/istio-system/mesh (mesh)"),
        ([MESH, WIDE], Mode.PERMISSIVE, "PeerAuthentication/weather/wide (namespace)"),
        ([MESH, WIDE, NARROW], Mode.STRICT, "PeerAuthentication/weather/narrow (workload)"),
        (
            [MESH, WIDE, policy("p", "STRICT", selector=LABELS, ports={8080: "DISABLE"})],
            Mode.DISABLE,
            "PeerAuthentication/weather/p (port 8080)",
        ),
    ],
)
def test_the_narrower_level_wins_and_is_named(policies, mode, decided):
    found = on(*policies)
    assert (found.mode, found.decided_by) == (mode, decided)


@pytest.mark.parametrize("unset", [policy("u", "UNSET"), policy("u"), policy("u", "UNSET", selector=LABELS)])
def test_unset_leaves_the_question_to_the_next_level(unset):
    assert on(MESH, unset).decided_by.endswith("mesh (mesh)")


def test_a_port_that_is_unset_inherits_from_its_own_policy():
    found = on(MESH, policy("p", "PERMISSIVE", selector=LABELS, ports={8080: "UNSET"}))
    assert (found.mode, found.decided_by) == (Mode.PERMISSIVE, "PeerAuthentication/weather/p (workload)")


def test_the_oldest_of_two_policies_counts_and_the_other_is_named():
    newer = policy("a-newer", "DISABLE", created="2026-02-01T00:00:00Z")
    found = on(MESH, newer, WIDE)
    assert found.mode is Mode.PERMISSIVE
    assert found.ignored == ("PeerAuthentication/weather/a-newer",)


def test_port_modes_need_a_selector_and_mean_the_containers_port():
    without = policy("wide", "STRICT", ports={8080: "DISABLE"})
    assert on(without).mode is Mode.STRICT
    other = policy("p", "STRICT", selector=LABELS, ports={"9090": "DISABLE"})
    assert on(other).mode is Mode.STRICT
    assert on(other, port=9090).mode is Mode.DISABLE


def test_a_selector_in_the_root_namespace_is_ignored():
    rooted = policy("r", "DISABLE", namespace="istio-system", selector=LABELS)
    assert on(rooted).decided_by == mtls.DEFAULT
    assert on(MESH, rooted, namespace="istio-system").mode is Mode.STRICT


def test_policies_of_other_namespaces_and_other_workloads_do_not_count():
    others = [policy("o", "DISABLE", namespace="shop"), policy("n", "DISABLE", selector={"app": "db"})]
    assert on(MESH, *others).mode is Mode.STRICT


def test_another_root_namespace_is_respected():
    assert on(policy("m", "STRICT", namespace="root"), root_namespace="root").mode is Mode.STRICT


def test_the_first_by_name_of_equally_old_policies_counts():
    found = on(policy("b", "DISABLE"), policy("a-b", "PERMISSIVE"), policy("a", "STRICT"))
    assert (found.mode, len(found.ignored)) == (Mode.STRICT, 2)


def a_pod(**annotations: str) -> Obj:
    containers = [
        {"name": "app", "ports": [{"containerPort": 8080}]},
        {"name": "istio-proxy", "ports": [{"containerPort": 15090}]},
    ]
    sidecars = [{"name": "cache", "restartPolicy": "Always", "ports": [{"containerPort": 6379}]}]
    metadata = {"name": "web-1", "namespace": "weather", "labels": LABELS, "annotations": annotations}
    return {"metadata": metadata, "spec": {"containers": containers, "initContainers": sidecars}}


def test_ports_that_nobody_declared_are_asked_about_too():
    """A containerPort is for the reader; a process listens where it likes."""
    hole = policy("hole", "STRICT", selector=LABELS, ports={9999: "DISABLE"})
    foreign = policy("other", "STRICT", selector={"app": "other"}, ports={1: "DISABLE"})
    pod = a_pod(**{mtls.EXCLUDED: "7000,15020"})
    assert mtls.ports(pod, policies=[hole, foreign, MESH]) == (6379, 7000, 8080, 9999, mtls.OTHERS)
    assert mtls.ports({"metadata": {"name": "bare"}, "spec": {}}, policies=[]) == (mtls.OTHERS,)


@pytest.mark.parametrize(
    ("annotations", "around"),
    [
        ({mtls.INCLUDED: "8080"}, [9999, mtls.OTHERS]),
        ({mtls.INCLUDED: ""}, [8080, 9999, mtls.OTHERS]),
        ({mtls.INCLUDED: "*"}, []),
        ({mtls.INCLUDED: "*", mtls.EXCLUDED: "9999"}, [9999]),
        ({mtls.INTERCEPTION: "NONE"}, [8080, 9999, mtls.OTHERS]),
        ({mtls.INTERCEPTION: "TPROXY"}, []),
    ],
)
def test_what_annotations_lead_around_the_proxy_is_plain_text(annotations, around):
    ports = [8080, 9999, mtls.OTHERS]
    found = mtls.effective(LABELS, namespace="weather", ports=ports, policies=[MESH], annotations=annotations)
    assert [item.port for item in found if item.mode is Mode.DISABLE] == around
    assert all(item.decided_by.startswith("annotation ") for item in found if item.mode is Mode.DISABLE)


def test_a_rule_for_all_hosts_is_about_every_namespace():
    rule = {"kind": "DestinationRule", "apiVersion": "networking.istio.io/v1"}
    rule["metadata"] = {"name": "plain", "namespace": "istio-system"}
    rule["spec"] = {"host": "*", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}
    (found,) = mtls.conflicts([rule], servers={"web.weather.svc.cluster.local": Mode.STRICT})
    assert found.host == "web.weather.svc.cluster.local"


def test_a_port_that_goes_around_the_proxy_is_plain_text_whatever_policies_say():
    found = on(MESH, annotations={mtls.EXCLUDED: "9090, 8080"})
    assert found.mode is Mode.DISABLE
    assert mtls.EXCLUDED in found.decided_by


def rule(host: str, mode: str | None, *, port: str | None = None, subset: bool = False) -> Obj:
    policy: Obj = {}
    if mode and port:
        policy = {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": port}}], "tls": {"mode": mode}}
    elif mode:
        policy = {"tls": {"mode": mode}}
    spec = {
        "host": host,
        **({"subsets": [{"name": "v1", "trafficPolicy": policy}]} if subset else {"trafficPolicy": policy}),
    }
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "r", "namespace": "weather"},
        "spec": spec,
    }


WEB = "web.weather.svc.cluster.local"


@pytest.mark.parametrize(
    ("found", "server", "word"),
    [
        (rule("web", "DISABLE"), Mode.STRICT, "503"),
        (rule("web", "SIMPLE"), Mode.STRICT, "TLS of their own"),
        (rule("web", "ISTIO_MUTUAL"), Mode.STRICT, ""),
        (rule("web", None), Mode.STRICT, ""),
        (rule("web", "DISABLE"), Mode.PERMISSIVE, ""),
        (rule("web", "ISTIO_MUTUAL"), Mode.DISABLE, "plain text only"),
        (rule("web", "ISTIO_MUTUAL"), None, "has no proxy"),
        (rule(WEB, "DISABLE"), Mode.STRICT, "503"),
        (rule("*.weather.svc.cluster.local", "DISABLE"), Mode.STRICT, "503"),
        (rule("other", "DISABLE"), Mode.STRICT, ""),
        (rule("api.example.com", "DISABLE"), Mode.STRICT, ""),
    ],
)
def test_a_rule_that_contradicts_its_server_is_found(found, server, word):
    messages = [item.message for item in mtls.conflicts([found], servers={WEB: server})]
    assert [word in message for message in messages] == ([True] if word else [])


def test_conflicts_say_where_in_the_rule_they_stand():
    places = [
        item.where
        for found in (rule("web", "DISABLE", port="DISABLE"), rule("web", "DISABLE", subset=True))
        for item in mtls.conflicts([found], servers={WEB: Mode.STRICT})
    ]
    assert places == [
        "trafficPolicy.tls.mode",
        "trafficPolicy.portLevelSettings[80].tls.mode",
        "subsets[v1].trafficPolicy.tls.mode",
    ]
