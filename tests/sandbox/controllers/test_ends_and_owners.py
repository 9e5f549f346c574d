"""What goes when something else goes: owners, dependents, namespaces."""

import pytest

from sandbox.api.errors import ApiError


def configmap(name, owner=None, **metadata):
    if owner is not None:
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"]}
        reference |= {"uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop", **metadata}}


async def family(world, **child):
    owner = await world.client.create(configmap("owner"))
    return owner, await world.client.create(configmap("child", owner, **child))


def present(world):
    return {obj["metadata"]["name"] for obj in world.items("", "configmaps")} - {"kube-root-ca.crt"}


async def delete(world, name, propagation):
    await world.client.delete("v1", "ConfigMap", name, "shop", propagation=propagation)
    await world.pass_time(1)


async def test_background_takes_the_dependents_afterwards(world):
    await family(world)
    await delete(world, "owner", "Background")
    assert present(world) == set()


async def test_foreground_waits_for_the_dependents(world):
    await family(world, finalizers=["example.test/hold"])
    await delete(world, "owner", "Foreground")
    assert present(world) == {"owner", "child"}
    assert world.find("", "configmaps", "child")["metadata"]["deletionTimestamp"]
    await world.client.patch("v1", "ConfigMap", "child", "shop", {"metadata": {"finalizers": None}})
    await world.pass_time(1)
    assert present(world) == set()


async def test_orphan_leaves_the_dependents_without_a_reference(world):
    await family(world)
    await delete(world, "owner", "Orphan")
    assert present(world) == {"child"}
    assert "ownerReferences" not in world.find("", "configmaps", "child")["metadata"]


async def test_a_foreground_deletion_reaches_the_grandchildren_first(world):
    await world.deploy()
    await world.until(world.rolled_out)
    await world.client.delete("apps/v1", "Deployment", "web", "shop", propagation="Foreground")
    await world.pass_time(0.01)
    assert world.find("apps", "deployments", "web"), "expected the Deployment to wait"
    await world.pass_time(5)
    assert not world.find("apps", "deployments", "web")
    assert not world.items("apps", "replicasets")
    assert not world.items("", "pods")


async def test_an_orphaned_replica_set_is_adopted_by_the_next_deployment(world, manifest):
    await world.deploy()
    await world.until(world.rolled_out)
    pods = {pod["metadata"]["uid"] for pod in world.pods()}
    await world.client.delete("apps/v1", "Deployment", "web", "shop", propagation="Orphan")
    await world.pass_time(1)
    await world.client.create(manifest("web"))
    await world.until(world.rolled_out)
    assert {pod["metadata"]["uid"] for pod in world.pods()} == pods


async def test_a_namespace_starts_with_an_account_and_the_authority(world):
    assert world.find("", "serviceaccounts", "default")
    assert world.find("", "configmaps", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}
    await world.client.delete("v1", "ServiceAccount", "default", "shop")
    await world.pass_time(0.1)
    assert world.find("", "serviceaccounts", "default"), "expected it to come back"


async def test_a_namespace_takes_its_content_along(world):
    await world.deploy()
    await world.until(world.rolled_out)
    await world.client.delete("v1", "Namespace", "shop")
    await world.pass_time(10)
    assert world.find("", "namespaces", "shop", None) is None
    assert not world.items("", "pods")
    assert not world.items("", "events")


async def test_a_namespace_waits_for_finalizers_and_says_so(world):
    await world.client.create(configmap("held", finalizers=["example.test/hold"]))
    await world.client.delete("v1", "Namespace", "shop")
    await world.pass_time(10)
    namespace = world.find("", "namespaces", "shop", None)
    assert namespace["status"]["phase"] == "Terminating"
    assert world.condition(namespace, "NamespaceFinalizersRemaining")[0] == "True"
    with pytest.raises(ApiError, match="being terminated"):
        await world.client.create(configmap("late"))
    await world.client.patch("v1", "ConfigMap", "held", "shop", {"metadata": {"finalizers": None}})
    await world.pass_time(10)
    assert world.find("", "namespaces", "shop", None) is None
