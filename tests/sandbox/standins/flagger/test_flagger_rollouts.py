"""A revision on its way: weights, checks and the words of the events."""

from tests.sandbox.standins.flagger.world import World, hook


async def test_a_good_revision_is_promoted(world: World) -> None:
    """Weights climb by stepWeight to maxWeight, then the primary gets the template, and traffic with it."""
    await world.install()
    await world.push("podinfo:2")
    seen = []
    for _ in range(9):
        await world.tick()
        seen.append((world.status["phase"], world.weights, world.status["canaryWeight"]))
    assert seen == [
        ("Progressing", (100, 0), 0),
        ("Progressing", (80, 20), 20),
        ("Progressing", (60, 40), 40),
        ("Progressing", (40, 60), 60),
        ("Promoting", (40, 60), 60),
        ("Finalising", (100, 0), 0),
        ("Succeeded", (100, 0), 0),
        ("Succeeded", (100, 0), 0),
        ("Succeeded", (100, 0), 0),
    ]
    assert (
        world.object("Deployment", "web-primary")["spec"]["template"]["spec"]["containers"][0]["image"] == "podinfo:2"
    )
    assert world.object("Deployment", "web")["spec"]["replicas"] == 0
    assert world.condition == ("True", "Succeeded")
    assert world.status["lastPromotedSpec"] == world.status["lastAppliedSpec"]
    assert "Advance web.weather canary weight 20" in world.events("Normal")
    assert world.events("Normal")[-1].endswith("Promotion completed! Scaling down web.weather")


async def test_a_bad_revision_is_rolled_back_with_its_numbers(world: World) -> None:
    """Failed checks up to the threshold end in Failed, on the primary, and the events say why."""
    await world.install()
    await world.push("podinfo:bad")
    await world.tick(2)
    world.success = 69.174
    await world.tick(3)
    assert world.status["phase"] == "Failed"
    assert world.condition == ("False", "Failed")
    assert world.weights == (100, 0)
    assert world.object("Deployment", "web")["spec"]["replicas"] == 0
    assert world.events("Warning") == [
        "Halt web.weather advancement success rate 69.17% < 99%",
        "Rolling back web.weather failed checks threshold reached 2",
        "Canary failed! Scaling down web.weather",
    ]


async def test_slow_answers_fail_the_duration_check(world: World) -> None:
    """Latency is compared in milliseconds and printed as a duration."""
    await world.install()
    await world.push("podinfo:slow")
    await world.tick(2)
    world.latency = 1500.7
    await world.tick()
    assert world.events("Warning") == ["Halt web.weather advancement request duration 1.5s > 500ms"]


async def test_no_data_is_a_failed_check(world: World) -> None:
    """A canary that nobody calls does not advance."""
    await world.install()
    await world.push("podinfo:2")
    await world.tick(2)
    world.success = float("nan")
    await world.tick()
    assert world.status["failedChecks"] == 1
    assert "no values found for istio metric request-success-rate" in world.events("Warning")[0]


async def test_without_a_mesh_the_application_itself_is_measured(world: World) -> None:
    """The provider kubernetes asks for other metrics, and does rounds instead of weights."""
    await world.install(provider="kubernetes")
    world.latency = 0.12  # seconds
    await world.push("podinfo:2")
    await world.tick(3)
    assert 'http_request_duration_seconds_count{kubernetes_namespace="weather"' in "".join(world.queries)
    assert "istio_requests_total" not in "".join(world.queries)
    assert world.status["iterations"] == 2
    assert world.events("Warning") == [
        "Progressive traffic is not supported when using the kubernetes provider",
        "Setting canaryAnalysis.iterations: 10",
    ]


async def test_the_words_of_a_hook_that_refuses_are_told_and_those_of_one_that_breaks_are_not(world: World) -> None:
    """4xx is an answer; 5xx is tried again, and then only the address is known."""
    await world.install(webhooks=[hook("rollout", "/load")])
    await world.push("podinfo:2")
    await world.tick(2)
    world.closed.add("/load")
    await world.tick()
    world.status_of_closed = 503
    await world.tick()
    assert world.events("Warning")[:2] == [
        "Halt web.weather advancement external check gate failed Forbidden",
        "Halt web.weather advancement external check gate failed POST http://gate.istio-system/load giving up after"
        " 1 attempt(s)",
    ]


async def test_a_query_that_fails_is_told_with_its_address(world: World) -> None:
    """Built-in checks name neither themselves nor the reason alone."""
    await world.install()
    await world.push("podinfo:2")
    await world.tick(2)
    world.network.unregister("istio-system", "prometheus")
    await world.tick()
    (warning,) = world.events("Warning")
    start = "Prometheus query failed: running query failed: request failed: Get"
    assert warning.startswith(f'{start} "http://prometheus:9090/api/v1/query?query=sum%28rate')


async def test_queries_name_the_target_and_the_window(world: World) -> None:
    """The built-in query selects the destination's proxies of the target, over the metric's interval."""
    await world.install()
    await world.push("podinfo:2")
    await world.tick(3)
    query = next(query for query in world.queries if query.startswith("sum("))
    assert 'destination_workload_namespace="weather",destination_workload=~"web"' in query
    assert "[60s]" in query


async def test_a_changed_config_is_a_new_revision(world: World) -> None:
    """ConfigMaps that the pods read are part of the revision, and reach the primary by promotion only."""
    await world.install()
    await world.client.patch("v1", "ConfigMap", "settings", "weather", {"data": {"a": "2"}})
    await world.tick()
    assert world.status["phase"] == "Progressing"
    assert world.object("ConfigMap", "settings-primary")["data"] == {"a": "1"}
    await world.tick(4)
    assert world.object("ConfigMap", "settings-primary")["data"] == {"a": "2"}


async def test_a_canary_that_never_gets_ready_meets_its_deadline(world: World) -> None:
    """A target that stays unavailable beyond progressDeadlineSeconds is rolled back."""
    await world.install()
    world.client.stuck.add("web")
    await world.push("podinfo:crash")
    await world.tick(4)
    assert world.status["phase"] == "Progressing"
    assert "canary deployment web.weather not ready" in world.events("Warning")[0]
    await world.tick(6)
    assert world.status["phase"] == "Failed"


async def test_hooks_get_name_phase_and_checksum(world: World) -> None:
    """Hooks can tell the revision by a checksum; event hooks hear every event with its type and time."""
    await world.install(webhooks=[hook("pre-rollout", "/pre"), hook("event", "/event")])
    await world.push("podinfo:2")
    await world.tick(2)
    (document,) = [document for path, document in world.called if path == "/pre"]
    assert (document["name"], document["phase"]) == ("web", "Progressing")
    assert document["checksum"]
    event = world.called[-1][1]
    assert event["metadata"]["eventMessage"] == "Advance web.weather canary weight 20"
    assert event["metadata"]["eventType"] == "Normal"
    assert int(event["metadata"]["timestamp"]) > 1_000_000_000_000
