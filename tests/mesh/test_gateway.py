"""Where a gateway is reached."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow.mesh import gateway
from meshflow.mesh.gateway import Reach

Obj = dict[str, Any]
PORTS = [
    {"name": "status-port", "port": 15021, "nodePort": 31000},
    {"name": "http2", "port": 80, "nodePort": 31080},
    {"name": "https", "port": 443, "nodePort": 31443},
]


def service(kind: str, *, ingress: list[Obj] | None = None, ports: list[Obj] = PORTS) -> Obj:
    return {
        "metadata": {"name": "ingress", "namespace": "edge"},
        "spec": {"type": kind, "ports": ports},
        "status": {"loadBalancer": {"ingress": ingress or []}},
    }


def node(name: str, *addresses: tuple[str, str], ready: str = "True") -> Obj:
    return {
        "metadata": {"name": name},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "addresses": [{"type": kind, "address": address} for kind, address in addresses],
        },
    }


@pytest.mark.parametrize(
    ("point", "host"), [({"ip": "192.0.2.7"}, "192.0.2.7"), ({"hostname": "lb.example"}, "lb.example")]
)
def test_a_load_balancer_has_an_ip_or_a_name(point, host):
    found = gateway.address(service("LoadBalancer", ingress=[point]))
    assert (found.reach, found.host, found.url()) == (Reach.LOAD_BALANCER, host, f"https://{host}")


def test_a_load_balancer_without_address_is_pending_and_asks_whether_one_is_installed():
    found = gateway.address(service("LoadBalancer"))
    assert (found.reach, found.host, found.url()) == (Reach.PENDING, None, None)
    assert "installed" in found.message


def test_a_pending_load_balancer_is_reached_by_a_node_when_nodes_are_given():
    found = gateway.address(service("LoadBalancer"), nodes=[node("n1", ("InternalIP", "10.0.0.1"))])
    assert (found.reach, found.url()) == (Reach.NODE_PORT, "https://10.0.0.1:31443")


def test_a_node_port_is_on_a_ready_node_the_external_address_first():
    nodes = [
        node("a", ("InternalIP", "10.0.0.1")),
        node("b", ("InternalIP", "10.0.0.2"), ("ExternalIP", "192.0.2.2")),
        node("c", ("ExternalIP", "192.0.2.3"), ready="False"),
    ]
    found = gateway.address(service("NodePort"), nodes=nodes)
    assert (found.reach, found.host) == (Reach.NODE_PORT, "192.0.2.2")
    assert found.url(scheme="http") == "http://192.0.2.2:31080"


def test_a_node_port_without_any_address_is_pending():
    assert gateway.address(service("NodePort")).reach is Reach.PENDING


def test_a_gateway_inside_is_reached_by_its_name():
    found = gateway.address(service("ClusterIP"))
    assert (found.reach, found.host) == (Reach.CLUSTER, "ingress.edge.svc.cluster.local")


def test_the_published_address_is_http_when_the_gateway_has_no_https():
    found = gateway.address(service("LoadBalancer", ingress=[{"ip": "2001:db8::7"}], ports=PORTS[:2]))
    assert found.url() == "http://[2001:db8::7]"
    assert found.url(scheme="https") is None


def test_the_published_address_is_of_the_port_that_clients_use():
    found = gateway.address(service("LoadBalancer", ingress=[{"ip": "192.0.2.7"}]), port=80)
    assert found.url() == "http://192.0.2.7"
    assert gateway.address(service("NodePort"), nodes=[node("n", ("InternalIP", "10.0.0.1"))], port=443).url() == (
        "https://10.0.0.1:31443"
    )
