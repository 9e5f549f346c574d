"""What speaks against STRICT."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest

from meshflow.mesh import evidence, mtls
from meshflow.mesh.evidence import Kind

SPACE = {"metadata": {"name": "weather", "labels": {"istio-injection": "enabled"}}}


class Sample(NamedTuple):
    labels: dict[str, str]
    value: float


def sample(value: float, policy: str = "none") -> Sample:
    names = {"source_workload": "a", "destination_workload": "b"}
    spaces = {"source_workload_namespace": "x", "destination_workload_namespace": "y"}
    return Sample({**names, **spaces, "connection_security_policy": policy}, value)


def kinds(found: tuple[evidence.Finding, ...]) -> list[Kind]:
    return [item.kind for item in found]


def look(*pods: Any, services: Any = ()) -> tuple[evidence.Finding, ...]:
    return evidence.from_objects(namespaces=[SPACE], pods=pods, services=services)


def test_plain_text_traffic_blocks_and_names_both_ends():
    (found,) = evidence.plaintext([sample(12.4), sample(0), sample(math.nan), sample(99, "mutual_tls")])
    assert found.blocks
    assert (found.subject, found.value) == ("x/a → y/b", 12.4)
    assert "12 requests in plain text" in str(found)


def test_a_pod_that_lacks_its_proxy_blocks_and_one_that_opted_out_does_not(pod):
    found = look(pod("lacks"), pod("left", labels={"sidecar.istio.io/inject": "false"}), pod("fine", proxy="1.30.3"))
    assert [(item.kind, item.blocks) for item in found] == [(Kind.NO_PROXY, True), (Kind.OPTED_OUT, False)]


def test_pods_of_other_namespaces_and_finished_ones_are_left_out(pod):
    done = pod("done")
    done["status"]["phase"] = "Succeeded"
    assert look(done, pod("other", namespace="shop")) == ()


def test_probes_that_are_not_rewritten_block(pod):
    probed = pod(proxy="1.30.3")
    app = probed["spec"]["containers"][0]
    app["readinessProbe"] = {"httpGet": {"port": 8080, "path": "/ready"}}
    app["livenessProbe"] = {"exec": {"command": ["true"]}}
    (found,) = look(probed)
    assert (found.kind, found.blocks) == (Kind.PROBE, True)
    assert "app.readinessProbe asks port 8080 by httpGet" in found.message
    app["readinessProbe"] = {"httpGet": {"port": 15020, "path": "/app-health/app/readyz"}}
    assert look(probed) == ()


def test_probes_of_native_sidecars_are_not_rewritten_and_count_too(pod):
    probed = pod(proxy="1.30.3")
    own = {"name": "cache", "restartPolicy": "Always", "startupProbe": {"tcpSocket": {"port": 6379}}}
    probed["spec"]["initContainers"].append(own)
    assert kinds(look(probed)) == [Kind.PROBE]


def test_a_probe_of_a_port_that_goes_around_the_proxy_does_not_block(pod):
    probed = pod(proxy="1.30.3", annotations={mtls.EXCLUDED: "8081"})
    app = probed["spec"]["containers"][0]
    app |= {"ports": [{"name": "admin", "containerPort": 8081}], "livenessProbe": {"httpGet": {"port": "admin"}}}
    assert kinds(look(probed)) == [Kind.BYPASS]


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({mtls.EXCLUDED: "6379"}, "proxy: 6379"),
        ({mtls.INCLUDED: ""}, "proxy: any"),
        ({mtls.INTERCEPTION: "NONE"}, "proxy: any"),
    ],
)
def test_ports_around_the_proxy_are_known_but_do_not_block(pod, annotations, words):
    (found,) = look(pod(proxy="1.30.3", annotations=annotations))
    assert (found.kind, found.blocks) == (Kind.BYPASS, False)
    assert words in found.message


def test_the_proxys_own_ports_are_no_hole(pod):
    """With the CNI node agent the injector writes these annotations on every pod."""
    own = {mtls.EXCLUDED: "15020", mtls.INCLUDED: "*", mtls.INTERCEPTION: "REDIRECT"}
    assert look(pod(proxy="1.30.3", annotations=own)) == ()


@pytest.mark.parametrize(
    ("port", "word"),
    [
        ({"port": 9092}, "does not say its protocol"),
        ({"port": 9092, "name": "tcp-kafka"}, "by their own names"),
        ({"port": 9092, "appProtocol": "tcp"}, "by their own names"),
    ],
)
def test_headless_services_are_pointed_at(port, word):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kafka", "namespace": "weather"},
        "spec": {"clusterIP": "None", "selector": {"app": "kafka"}, "ports": [port]},
    }
    (found,) = look(services=[service])
    assert kinds((found,)) == [Kind.HEADLESS]
    assert word in found.message
    assert not found.blocks
    service["spec"]["clusterIP"] = "10.0.0.1"
    assert look(services=[service]) == ()


def test_every_kind_of_finding_has_its_sentence():
    assert set(evidence.SENTENCES) == set(Kind)
