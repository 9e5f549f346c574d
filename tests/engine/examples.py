"""What the engine's tests declare, and the way from there into a cluster."""

from __future__ import annotations

from typing import Any

from meshflow.clients.kube import Kube
from meshflow.engine import applier, planner
from meshflow.engine.planner import SetRules
from meshflow.engine.verdicts import Verdicts
from meshflow.mesh.blue_green import COLOUR, COLOURS
from meshflow.objects.parsing import Desired
from meshflow.plan.model import Plan
from meshflow.plan.stages import Stage

Obj = dict[str, Any]


def config(namespace: str, name: str, **data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def deployment(namespace: str, name: str = "web", *, replicas: int | None = 2, image: str = "web:1") -> Obj:
    spec: Obj = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": image,
                        "ports": [{"containerPort": 8080}],
                        "resources": {"requests": {"cpu": "1000m"}},
                    }
                ]
            },
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def service(namespace: str, name: str = "web") -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def declared(*objects: Obj) -> list[Desired]:
    return [Desired(obj, f"test.yaml:{number}") for number, obj in enumerate(objects, 1)]


async def settled(stage: Stage) -> None:
    """Nobody waits in these tests."""


async def plan_and_apply(
    kube: Kube, desired: list[Desired], set_name: str, *, verdicts: Verdicts | None = None, **rules: Any
) -> Plan:
    plan = await planner.plan(kube, desired, SetRules(set_name, **rules), verdicts=verdicts)
    await applier.run(kube, desired, plan, settled=settled)
    return plan


def actions(plan: Plan) -> dict[str, str]:
    return {f"{entry.reference.kind}/{entry.reference.name}": entry.action.value for entry in plan.entries}


def shop(namespace: str, *, image: str, patience: int = 2400) -> list[Obj]:
    """A blue/green pair behind a Service that selects blue; `patience` is the colours' progress deadline."""
    selector = {"app": "shop", COLOUR: "blue"}
    return [*(_colour(namespace, colour, image, patience) for colour in COLOURS), _selecting(namespace, selector)]


def _colour(namespace: str, colour: str, image: str, patience: int) -> Obj:
    made = deployment(namespace, f"shop-{colour}", image=image)
    made["spec"]["progressDeadlineSeconds"] = patience
    made["spec"]["selector"]["matchLabels"] = {"app": "shop", COLOUR: colour}
    made["spec"]["template"]["metadata"]["labels"] = {"app": "shop", COLOUR: colour}
    return made


def _selecting(namespace: str, selector: Obj) -> Obj:
    made = service(namespace, "shop")
    made["spec"]["selector"] = selector
    return made
