"""The load tester's stand-in: load tests raise the rate of a Service, gates open and close."""

from typing import Any

import httpx
import pytest

from sandbox.clock import VirtualClock
from sandbox.network import Network
from sandbox.standins import loadtester
from sandbox.standins.base import Surroundings
from sandbox.standins.loadtester import LoadTester, parse
from sandbox.topology import Topology
from sandbox.traffic import Traffic
from tests.sandbox.meshed import pod, service, virtual_service

DEPLOYMENT = {"metadata": {"name": "flagger-loadtester", "namespace": "test"}, "spec": {}}


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(VirtualClock())


@pytest.fixture
def tester(traffic: Traffic) -> LoadTester:
    client: Any = lambda manager: None  # noqa: E731 - it asks the cluster for nothing
    return LoadTester(Surroundings(client, Network(), traffic.clock, traffic), DEPLOYMENT)


async def post(tester: LoadTester, path: str, **metadata: str) -> httpx.Response:
    app = tester.apps()[loadtester.PORT]
    document: dict[str, Any] = {"name": "web", "namespace": "weather", "phase": "Progressing"}
    if metadata:
        document["metadata"] = metadata
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        return await client.post(path, json=document)


@pytest.mark.parametrize(
    ("command", "rps", "lasts"),
    [
        ("hey -z 1m -q 10 -c 2 http://web-canary.weather:9898/", 20, 60),
        ("hey -n 100 -q 5 -c 2 http://web-canary.weather/", 10, 10),
        ("ghz -z 30s --rps 7 --insecure http://web", 7, 30),
        ("wrk -t4 -c100 -d30s -R 200 http://web/", 200, 60),
    ],
)
def test_a_command_says_what_it_would_send(command: str, rps: float, lasts: float) -> None:
    """The usual tools' options are read; what they leave open gets a default."""
    found = parse(command)
    assert found is not None
    assert (found.rps, found.lasts) == (rps, lasts)


async def test_a_load_test_starts_once(tester: LoadTester, traffic: Traffic) -> None:
    """A hook that is called at every tick does not add up."""
    for _ in range(3):
        answer = await post(tester, "/", cmd="hey -z 1m -q 10 -c 2 http://web-canary.weather:9898/")
        assert answer.status_code == 202
    (load,) = traffic.loads
    assert load[:3] == ("weather", "web-canary", 20)


async def test_an_acceptance_test_passes_when_somebody_answers(tester: LoadTester, traffic: Traffic) -> None:
    """A blocking command is a request to its URL."""
    check = {"type": "bash", "cmd": "curl -s http://web-canary.weather:9898/token | grep token"}
    assert (await post(tester, "/", **check)).status_code == 500
    traffic.step(Topology({"Pod": [pod("web-1", "web")], "Service": [service("web-canary", "web")]}), 1)
    assert (await post(tester, "/", **check)).status_code == 200


async def test_a_call_without_a_task_is_refused(tester: LoadTester) -> None:
    """As the real one: no metadata, no command, unknown type."""
    assert (await post(tester, "/")).status_code == 400
    assert (await post(tester, "/", type="cmd")).status_code == 400
    assert (await post(tester, "/", type="odd", cmd="x")).text == "unknown task type odd"


async def test_one_gate_serves_all_hooks_of_a_canary(tester: LoadTester) -> None:
    """Hazard: the key is name.namespace, so the gate opened for one hook is open for the next; rollback has its own."""
    assert (await post(tester, "/gate/check")).status_code == 403
    assert (await post(tester, "/gate/open")).status_code == 202
    assert (await post(tester, "/gate/check")).status_code == 200
    assert (await post(tester, "/rollback/check")).status_code == 403
    await post(tester, "/gate/close")
    assert (await post(tester, "/gate/check")).status_code == 403
    assert (await post(tester, "/gate/approve")).status_code == 200
    assert (await post(tester, "/gate/halt")).status_code == 403


async def test_a_load_test_with_headers_meets_the_conditions_of_an_ab_test(
    tester: LoadTester, traffic: Traffic
) -> None:
    """Requests that carry the header go to the canary, all of them."""
    await post(tester, "/", cmd="hey -z 1m -q 10 -c 2 -H 'x-user: tester' http://web.weather/")
    primary, other = {"destination": {"host": "web-primary"}}, {"destination": {"host": "web-canary"}, "weight": 100}
    routes = [
        {"match": [{"headers": {"x-user": {"exact": "tester"}}}], "route": [{**primary, "weight": 0}, other]},
        {"route": [primary]},
    ]
    objects = {
        "Pod": [pod("web-primary-1", "web-primary"), pod("web-1", "web")],
        "Service": [
            service("web", "web-primary", owner="web"),
            service("web-canary", "web", owner="web"),
            service("web-primary", "web-primary", owner="web"),
        ],
        "VirtualService": [virtual_service("web", {}, http=routes)],
    }
    traffic.set_rate("weather", "web", 0)
    traffic.step(Topology(objects), 10)
    assert traffic.metrics.total("istio_requests_total", destination_workload="web") == pytest.approx(200)
    assert traffic.metrics.total("istio_requests_total", destination_workload="web-primary") == 0
