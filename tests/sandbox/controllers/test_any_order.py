"""Whatever is done to a Deployment, and in whatever order: it ends as its last spec says, and no look has failed."""

import random

import pytest

from sandbox.controllers.behaviour import Rule

SETTLE = 60.0


async def disturb(world, chance, names):
    """Do one thing to one of them."""
    name = chance.choice(names)
    rules = world.kubelet.behaviours
    match chance.randrange(9):
        case 0 | 1:
            await world.set_image(f"example.test/app:{chance.randint(1, 4)}", name)
        case 2:
            await world.patch("Deployment", name, {"spec": {"replicas": chance.randint(0, 6)}}, subresource="scale")
        case 3:
            await world.patch("Deployment", name, {"spec": {"paused": chance.choice([True, False])}})
        case 4:
            rules.add(Rule(image=f"*:{chance.randint(1, 4)}", changes={"crash_after": 0.2}))
        case 5:
            rules.add(Rule(changes={"never_ready": True}, pod=f"{name}-*"))
        case 6:
            rules.clear()
        case 7 if pods := world.pods(app=name):
            await world.client.delete("v1", "Pod", chance.choice(pods)["metadata"]["name"], "shop")
        case 8:
            kind = chance.choice(["RollingUpdate", "Recreate"])
            strategy = {"type": kind, "rollingUpdate": {"maxSurge": 1} if kind == "RollingUpdate" else None}
            await world.patch("Deployment", name, {"spec": {"strategy": strategy}})


@pytest.mark.parametrize("seed", range(6))
async def test_disturbances_leave_nothing_behind(world, seed, caplog):
    chance, names = random.Random(seed), ["web", "api"]
    for name in names:
        await world.deploy(name, replicas=chance.randint(1, 4))
    for _ in range(40):
        await disturb(world, chance, names)
        await world.pass_time(chance.choice([0, 0.01, 0.1, 0.5, 3]))
    world.kubelet.behaviours.clear()
    for name in names:
        await world.patch("Deployment", name, {"spec": {"paused": False}})
    await world.pass_time(SETTLE)
    for name in names:
        assert world.rolled_out(name), world.deployment(name)["status"]
        wanted = world.deployment(name)["spec"]["template"]["spec"]["containers"][0]["image"]
        assert {pod["spec"]["containers"][0]["image"] for pod in world.pods(app=name)} <= {wanted}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    writes = world.server.store.writes
    await world.pass_time(SETTLE)
    assert world.server.store.writes == writes, "expected rest"
