"""Services: their addresses, and the pods behind them."""

from datetime import UTC, datetime

import pytest

from sandbox.builtin import services
from sandbox.controllers.behaviour import Rule


class Nothing:
    """A context in which only these Services exist."""

    now = datetime(2026, 1, 1, tzinfo=UTC)
    user = "test"

    def __init__(self, *others, dry_run=False):
        self.others, self.dry_run = others, dry_run

    def get(self, *where):
        return None

    def objects(self, group, kind, namespace=None):
        return self.others


def service(name="web", **spec):
    spec.setdefault("selector", {"app": "web"})
    spec.setdefault("ports", [{"name": "http", "port": 80, "targetPort": 8080}])
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def made(body, *others, dry_run=False):
    context, rules = Nothing(*others, dry_run=dry_run), services.Service()
    rules.prepare_create(body, context)
    problems = [*rules.validate(body, context)] or rules.allocate(body, None, context)
    assert not problems, problems
    return body


def changed(old, *others, **spec):
    """What is stored after a PUT of this spec."""
    context, rules, body = Nothing(old, *others), services.Service(), service(old["metadata"]["name"], **spec)
    rules.prepare_update(body, old, context)
    problems = [*rules.validate_update(body, old, context)] or rules.allocate(body, old, context)
    return body["spec"], problems


def test_a_dry_run_takes_nothing():
    spec = made(service(type="NodePort"), dry_run=True)["spec"]
    assert spec["clusterIP"] == "10.96.0.0"
    assert spec["ports"][0]["nodePort"] not in services.NODE_PORTS


def test_an_update_without_addresses_keeps_them():
    old = made(service(type="LoadBalancer", externalTrafficPolicy="Local"))
    spec, problems = changed(old, type="LoadBalancer", externalTrafficPolicy="Local")
    assert not problems
    for key in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
        assert spec[key] == old["spec"][key]
    assert spec["ports"][0]["nodePort"] == old["spec"]["ports"][0]["nodePort"]


def test_a_local_load_balancer_gets_a_health_check_port_and_loses_it():
    old = made(service(type="LoadBalancer", externalTrafficPolicy="Local"))
    assert old["spec"]["healthCheckNodePort"] in services.NODE_PORTS
    spec, problems = changed(old, type="LoadBalancer", externalTrafficPolicy="Cluster")
    assert not problems
    assert "healthCheckNodePort" not in spec


def test_a_new_port_of_a_node_port_service_gets_a_number_of_its_own():
    old = made(service(type="NodePort"))
    ports = [{"name": "http", "port": 80}, {"name": "metrics", "port": 9090}]
    spec, problems = changed(old, type="NodePort", ports=ports)
    assert not problems
    first, second = (port["nodePort"] for port in spec["ports"])
    assert first == old["spec"]["ports"][0]["nodePort"] != second


def test_one_node_port_serves_two_protocols():
    taken = made(service("one", type="NodePort"))
    number = taken["spec"]["ports"][0]["nodePort"]
    other = service("two", type="NodePort", ports=[{"name": "dns", "port": 53, "protocol": "UDP", "nodePort": number}])
    assert made(other, taken)["spec"]["ports"][0]["nodePort"] == number


def test_a_headless_service_needs_no_ports():
    assert made(service(clusterIP="None", ports=[]))["spec"]["clusterIPs"] == ["None"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ports": []}, "spec.ports"),
        ({"type": "ExternalName"}, "spec.externalName"),
        ({"type": "NodePort", "clusterIP": "None"}, "spec.clusterIPs[0]"),
        ({"type": "Cloud"}, "spec.type"),
        ({"externalTrafficPolicy": "Local"}, "spec.externalTrafficPolicy"),
        ({"ports": [{"port": 80}, {"port": 80, "name": "a"}]}, "spec.ports[0].name"),
    ],
)
def test_what_cannot_be_is_refused(spec, field):
    context, rules, body = Nothing(), services.Service(), service(**spec)
    rules.prepare_create(body, context)
    assert field in {problem.field for problem in rules.validate(body, context)}


def ready_addresses(world):
    slices = world.items("discovery.k8s.io", "endpointslices", **{"kubernetes.io/service-name": "web"})
    return {a for s in slices for e in s.get("endpoints") or () if e["conditions"]["ready"] for a in e["addresses"]}


async def test_a_slice_follows_the_ready_pods(world):
    await world.client.create(service())
    await world.deploy(replicas=2)
    await world.until(lambda: len(ready_addresses(world)) == 2)
    assert ready_addresses(world) == {pod["status"]["podIP"] for pod in world.pods()}
    victim = world.pods()[0]["metadata"]["name"]
    world.kubelet.behaviours.add(Rule(pod=victim, changes={"never_ready": True}))
    await world.until(lambda: len(ready_addresses(world)) == 1)
    subsets = world.find("", "endpoints", "web")["subsets"]
    assert [len(subsets[0][key]) for key in ("addresses", "notReadyAddresses")] == [1, 1]
    await world.patch("Deployment", "web", {"spec": {"replicas": 0}}, subresource="scale")
    await world.until(lambda: not ready_addresses(world))


async def test_a_changed_selector_moves_the_service(world):
    """As in a blue/green switch without Flagger."""
    await world.client.create(service())
    for name in ("web", "green"):
        await world.deploy(name)
        await world.until(lambda name=name: world.rolled_out(name))
    await world.patch("Service", "web", {"spec": {"selector": {"app": "green"}}}, api_version="v1")
    green = {pod["status"]["podIP"] for pod in world.pods(app="green")}
    await world.until(lambda: ready_addresses(world) == green)


async def test_a_named_target_port_is_found_in_a_sidecar_too(world):
    await world.client.create(service(ports=[{"name": "http", "port": 80, "targetPort": "web"}]))
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "a:1", "ports": [{"name": "web", "containerPort": 9898}]}]},
    }
    await world.deploy(template=template)
    await world.until(lambda: ready_addresses(world))
    found = world.items("discovery.k8s.io", "endpointslices")[0]
    assert found["ports"] == [{"name": "http", "protocol": "TCP", "port": 9898}]


async def test_load_balancers_get_an_address_of_their_own(world):
    for name in ("one", "two"):
        await world.client.create(service(name, type="LoadBalancer"))
    await world.pass_time(0.1)
    found = [world.find("", "services", name)["status"]["loadBalancer"]["ingress"][0]["ip"] for name in ("one", "two")]
    assert found[0] != found[1]
    assert all(address.startswith("203.0.113.") for address in found)
