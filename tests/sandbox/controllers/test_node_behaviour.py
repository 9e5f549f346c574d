"""Pods on the node: their life, their sidecars, and the faults that can be set."""

import pytest

from sandbox.api import pod_columns
from sandbox.controllers import life
from sandbox.controllers.behaviour import Behaviour, Rule
from sandbox.controllers.life import Does

HEAD = {"apiVersion": "v1", "kind": "Pod"}


def pod(name="one", containers=None, **spec):
    spec["containers"] = containers or [{"name": "main", "image": "example.test/app:1"}]
    return {**HEAD, "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}}, "spec": spec}


def shown(world, name="one"):
    """STATUS as `kubectl get pods` prints it."""
    found = world.find("", "pods", name)
    return pod_columns.status(found, world.clock.now()) if found else None


@pytest.mark.parametrize(
    ("age", "does", "ready"),
    [(0, Does.PULLING, False), (0.12, Does.STARTING, False), (0.2, Does.RUNNING, False), (1, Does.RUNNING, True)],
)
def test_a_sound_container_gets_ready(age, does, ready):
    moment = life.at(Behaviour(), age)
    assert (moment.does, moment.ready) == (does, ready)


def test_each_crash_doubles_the_pause():
    crashing = Behaviour(pull=0, start=0, crash_after=1)
    restarts = [life.at(crashing, age).restarts for age in (0.5, 5, 11.5, 25, 33, 70)]
    assert restarts == [0, 0, 1, 1, 2, 2]


async def test_a_pod_runs_and_says_where(world):
    await world.client.create(pod())
    await world.until(lambda: shown(world) == "Running")
    status = world.find("", "pods", "one")["status"]
    assert status["phase"] == "Running"
    assert status["podIP"].startswith("10.244.")
    assert status["containerStatuses"][0]["ready"] is False
    await world.pass_time(1)
    assert world.condition(world.find("", "pods", "one"), "Ready")[0] == "True"
    reasons = {event["reason"] for event in world.items("", "events")}
    assert {"Scheduled", "Pulled", "Created", "Started"} <= reasons


async def test_init_containers_run_one_after_another_and_sidecars_stay(world):
    proxy = {"name": "istio-proxy", "image": "example.test/proxyv2:1", "restartPolicy": "Always"}
    await world.client.create(pod(initContainers=[{"name": "first", "image": "example.test/init:1"}, proxy]))
    words = []

    def ready():
        words.append(shown(world))
        return (
            world.find("", "pods", "one")["status"]["phase"] == "Running"
            and pod_columns.ready(world.find("", "pods", "one"), world.clock.now()) == "2/2"
        )

    await world.until(ready, step=0.01)
    assert list(dict.fromkeys(words)) == ["Pending", "Init:0/2", "Init:1/2", "PodInitializing", "Running"]
    first, proxy_status = world.find("", "pods", "one")["status"]["initContainerStatuses"]
    assert first["state"]["terminated"]["exitCode"] == 0
    assert "running" in proxy_status["state"]
    assert proxy_status["ready"] is True


async def test_a_crash_loop_shows_restarts_and_ends_when_the_fault_does(world):
    rule = world.kubelet.behaviours.add(Rule(image="*app:1", changes={"crash_after": 1.0}))
    await world.client.create(pod())
    await world.until(lambda: shown(world) == "CrashLoopBackOff")
    await world.pass_time(15)
    assert world.find("", "pods", "one")["status"]["containerStatuses"][0]["restartCount"] == 1
    assert world.said("BackOff")
    world.kubelet.behaviours.remove(rule)
    await world.pass_time(1)
    assert shown(world) == "Running"
    assert world.condition(world.find("", "pods", "one"), "Ready")[0] == "True"


async def test_a_running_pod_can_start_to_crash(world):
    await world.client.create(pod())
    await world.pass_time(1)
    world.kubelet.behaviours.add(Rule(namespace="shop", changes={"crash_after": 0.5}))
    await world.pass_time(0.2)
    assert shown(world) == "Running"
    await world.pass_time(0.5)
    assert shown(world) == "CrashLoopBackOff"


async def test_an_image_that_is_not_there(world):
    world.kubelet.pull_error = lambda image: "not found" if image.endswith(":9") else ""
    await world.client.create(pod(containers=[{"name": "main", "image": "example.test/app:9"}]))
    await world.until(lambda: shown(world) == "ErrImagePull")
    await world.until(lambda: shown(world) == "ImagePullBackOff")
    assert any("not found" in message for message in world.said("Failed"))


async def test_readiness_can_be_taken_away_and_given_back(world):
    await world.client.create(pod())
    await world.pass_time(1)
    rule = world.kubelet.behaviours.add(Rule(pod="one", changes={"never_ready": True}))
    await world.pass_time(0.1)
    assert world.condition(world.find("", "pods", "one"), "Ready") == ("False", "ContainersNotReady")
    world.kubelet.behaviours.remove(rule)
    await world.pass_time(0.1)
    assert world.condition(world.find("", "pods", "one"), "Ready")[0] == "True"


def test_a_rule_that_changes_nothing_known_is_refused(world):
    with pytest.raises(TypeError):
        world.kubelet.behaviours.add(Rule(changes={"crash_later": 1}))


async def test_a_deleted_pod_stays_until_it_has_stopped(world):
    world.kubelet.behaviours.add(Rule(changes={"stop": 5.0}))
    await world.client.create(pod())
    await world.pass_time(1)
    await world.client.delete("v1", "Pod", "one", "shop")
    await world.pass_time(4)
    assert shown(world) == "Terminating"
    assert world.said("Killing") == ["Stopping container main"]
    await world.pass_time(2)
    assert shown(world) is None


async def test_a_pod_that_no_node_fits_stays_pending(world):
    await world.client.create(pod(nodeSelector={"disk": "fast"}))
    await world.pass_time(1)
    assert world.condition(world.find("", "pods", "one"), "PodScheduled") == ("False", "Unschedulable")
    assert world.said("FailedScheduling")


async def test_an_image_that_is_pushed_later_is_found(world):
    pushed = set()
    world.kubelet.pull_error = lambda image: "" if image in pushed else "not found"
    await world.client.create(pod())
    await world.until(lambda: shown(world) == "ImagePullBackOff")
    pushed.add("example.test/app:1")
    await world.until(lambda: shown(world) == "Running")


async def test_the_start_of_a_container_does_not_move(world):
    """Timestamps have whole seconds: worked out anew at each look they would flicker, and each flicker be a write."""
    await world.client.create(pod())
    await world.pass_time(1)
    before = world.find("", "pods", "one")["metadata"]["resourceVersion"]
    for _ in range(50):
        await world.pass_time(0.37)
        world.kubelet.look_at_everything()
    await world.pass_time(1)
    assert world.find("", "pods", "one")["metadata"]["resourceVersion"] == before
