"""How far one step of a rolling update may go."""

import random

import pytest

from sandbox.controllers import rollout


def deployment(replicas, surge="25%", unavailable="25%", kind="RollingUpdate"):
    strategy = {"type": kind}
    if kind == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"metadata": {"name": "web"}, "spec": {"replicas": replicas, "strategy": strategy}}


def replica_set(name, replicas, available=0, maximum=None):
    annotations = {rollout.MAXIMUM: str(maximum)} if maximum else {}
    metadata = {"name": name, "creationTimestamp": name, "annotations": annotations}
    return {"metadata": metadata, "spec": {"replicas": replicas}, "status": {"availableReplicas": available}}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", (1, 1)),
        (1, "25%", "25%", (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (3, 0, 0, (0, 1)),
        (3, 0, "10%", (0, 1)),
        (2, 2, 0, (2, 0)),
    ],
)
def test_percentages_are_rounded_up_for_surge_and_down_for_unavailable(replicas, surge, unavailable, expected):
    assert rollout.bounds(deployment(replicas, surge, unavailable)) == expected


def test_a_new_replica_set_grows_into_the_surge_only():
    assert rollout.new_size(deployment(4, 1, 1), None, [replica_set("1", 4, 4)]) == 1


def test_pods_that_are_not_available_are_taken_first():
    old = [replica_set("1", 3, 3), replica_set("2", 2, 0)]
    sizes = rollout.old_sizes(deployment(3, 2, 0), replica_set("3", 0), old)
    assert sizes == {"2": 0}


@pytest.mark.parametrize("seed", range(25))
def test_a_rollout_ends_and_keeps_its_bounds(seed):
    """Whatever the numbers and whichever pods come up first."""
    chance = random.Random(seed)
    wanted = chance.randint(1, 12)
    web = deployment(wanted, chance.choice([0, 1, 3, "25%", "100%"]), chance.choice([0, 1, 2, "50%"]))
    old, new = [replica_set("1", wanted, wanted)], replica_set("2", 0)
    for _ in range(200):
        size = rollout.new_size(web, new, old)
        if size != new["spec"]["replicas"]:
            new["spec"]["replicas"] = size
        else:
            for name, left in rollout.old_sizes(web, new, old).items():
                one = next(rs for rs in old if rs["metadata"]["name"] == name)
                one["spec"]["replicas"], one["status"]["availableReplicas"] = left, min(left, rollout.available(one))
        assert rollout.size([new, *old]) <= rollout.ceiling(web)
        assert rollout.available(new) + sum(map(rollout.available, old)) >= rollout.floor(web)
        if chance.random() < 0.6 and rollout.available(new) < new["spec"]["replicas"]:
            new["status"]["availableReplicas"] += 1
        if rollout.available(new) == wanted and not rollout.size(old):
            return
    pytest.fail("expected the rollout to end")


def test_scaling_in_the_middle_of_a_rollout_keeps_the_proportion():
    web = deployment(20, 2, 0)
    sizes = rollout.scaled_sizes(web, replica_set("2", 4, 2, maximum=12), [replica_set("1", 8, 8, maximum=12)])
    assert sum(sizes.values()) == 22
    assert 14 <= sizes["1"] <= 16


def test_the_hash_depends_on_the_template_and_not_on_the_label_it_becomes():
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    marked = {**template, "metadata": {"labels": {"app": "web", rollout.HASH_LABEL: "x"}}}
    other = {**template, "spec": {"containers": [{"name": "a", "image": "c"}]}}
    assert rollout.template_hash(template) == rollout.template_hash(marked) != rollout.template_hash(other)
