"""What the rules about the mesh get to see."""

from __future__ import annotations

from meshflow.clients.kube import Kube
from meshflow.engine import observing
from tests.engine import examples


async def test_what_other_namespaces_hold_is_left_out_where_the_declared_ones_are_named(
    kube: Kube, namespace: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"containers": [{"name": "main", "image": "web:1"}]},
    }
    await kube.create(pod)
    await kube.create(examples.deployment(namespace))
    there = await observing.workloads(kube, namespaces={namespace})
    assert [item["metadata"]["name"] for item in there.namespaces] == [namespace]
    assert {item["metadata"]["namespace"] for item in there.pods} == {namespace}
    elsewhere = await observing.workloads(kube, namespaces={"default"})
    assert namespace not in {item["metadata"].get("namespace") for item in elsewhere.pods}
    everywhere = await observing.workloads(kube)
    assert len(everywhere.namespaces) > 1
