"""What the API server fills in, keeps and refuses for single kinds."""

import pytest

from sandbox.api.errors import ApiError
from sandbox.builtin import pods, strategies


def pod(**spec):
    spec.setdefault("containers", [{"name": "main", "image": "a:1"}])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": "shop"}, "spec": spec}


def resources(requests=None, limits=None):
    found = {"requests": requests, "limits": limits}
    return {"name": "main", "image": "a:1", "resources": {key: value for key, value in found.items() if value}}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (resources(), "BestEffort"),
        (resources({"cpu": "1"}), "Burstable"),
        (resources({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}), "Guaranteed"),
        (resources(None, {"cpu": "1", "memory": "1Gi"}), "Guaranteed"),
        (resources({"cpu": "500m", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}), "Burstable"),
    ],
)
def test_quality_of_service_comes_from_requests_and_limits(container, expected):
    assert pods.quality({"containers": [container]}) == expected


async def test_a_pod_of_a_missing_service_account_is_forbidden(world):
    with pytest.raises(ApiError, match='serviceaccount "absent" not found') as caught:
        await world.client.create(pod(serviceAccountName="absent"))
    assert caught.value.code == 403


async def test_only_the_image_of_a_pod_may_change(world):
    await world.client.create(pod())
    change = {"spec": {"containers": [{"name": "main", "image": "a:2"}]}}
    await world.client.patch("v1", "Pod", "one", "shop", change, type="strategic")
    with pytest.raises(ApiError, match="pod updates may not change fields"):
        await world.client.patch("v1", "Pod", "one", "shop", {"spec": {"hostname": "other"}})


async def test_a_selector_is_settled(world):
    await world.deploy()
    change = {"spec": {"selector": {"matchLabels": {"app": "web", "x": "y"}}}}
    with pytest.raises(ApiError, match="field is immutable"):
        await world.patch("Deployment", "web", change)


async def test_a_role_of_a_binding_is_settled(world):
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    await world.client.create({**head, "metadata": {"name": "b", "namespace": "shop"}, "roleRef": role, "subjects": []})
    with pytest.raises(ApiError, match="cannot change roleRef"):
        await world.client.patch(head["apiVersion"], "RoleBinding", "b", "shop", {"roleRef": {"name": "writer"}})


async def test_an_immutable_config_map_stays_so(world):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}
    await world.client.create({**body, "data": {"a": "1"}, "immutable": True})
    for change in ({"data": {"a": "2"}}, {"immutable": False}):
        with pytest.raises(ApiError, match="immutable"):
            await world.client.patch("v1", "ConfigMap", "c", "shop", change)
    await world.client.patch("v1", "ConfigMap", "c", "shop", {"metadata": {"labels": {"x": "y"}}})


async def test_status_and_spec_have_endpoints_of_their_own(world):
    await world.deploy(replicas=0)
    await world.pass_time(1)
    before = world.deployment()
    await world.patch("Deployment", "web", {"status": {"replicas": 9}, "spec": {"paused": True}})
    assert world.deployment()["status"].get("replicas") != 9
    await world.pass_time(1)
    generation = world.deployment()["metadata"]["generation"]
    await world.patch("Deployment", "web", {"spec": {"paused": False}}, subresource="status")
    assert world.deployment()["spec"]["paused"] is True
    assert world.deployment()["metadata"]["generation"] == generation == before["metadata"]["generation"] + 1


def custom(generation=1, **parts):
    return {"apiVersion": "x.test/v1", "kind": "X", "metadata": {"name": "x", "generation": generation}, **parts}


def test_a_custom_resource_counts_all_but_metadata_and_status():
    rules, old = strategies.custom(has_status=True), custom(spec={"a": 1}, status={"b": 1})
    for change, expected in (
        ({"spec": {"a": 2}}, 2),
        ({"spec": {"a": 1}, "status": {"b": 2}}, 1),
        ({"other": 1, "spec": {"a": 1}}, 2),
    ):
        new = custom(**change)
        rules.prepare_update(new, old, None)
        assert new["metadata"]["generation"] == expected
        assert new["status"] == {"b": 1}, "expected the status to stay"


def test_the_status_endpoint_of_a_custom_resource_writes_status_alone():
    rules, old = strategies.custom(has_status=True), custom(spec={"a": 1}, status={"b": 1})
    new = custom(spec={"a": 2}, status={"b": 2}, metadata={"name": "x", "labels": {"x": "y"}})
    rules.prepare_update(new, old, None, subresource="status")
    assert new == custom(spec={"a": 1}, status={"b": 2})


async def test_the_image_of_a_gateway_that_was_not_injected_cannot_be_pulled(world):
    await world.client.create(pod(containers=[{"name": "istio-proxy", "image": "auto"}]))
    await world.pass_time(5)
    state = world.find("", "pods", "one")["status"]["containerStatuses"][0]["state"]
    assert state["waiting"]["reason"] == "ImagePullBackOff"
