"""Deployments from the outside: what becomes of one, and when."""

from sandbox.controllers.behaviour import Rule

MINUTE = 60.0


async def test_a_deployment_gets_available_and_tells_the_story(world):
    await world.deploy(replicas=2)
    await world.until(world.rolled_out, within=1)
    web = world.deployment()
    assert world.condition(web, "Available") == ("True", "MinimumReplicasAvailable")
    assert world.condition(web, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert any(message.startswith("Scaled up replica set web-") for message in world.said("ScalingReplicaSet"))


async def test_a_cluster_at_rest_writes_nothing(world):
    await world.deploy(replicas=3)
    await world.until(world.rolled_out)
    await world.pass_time(5)
    writes = world.server.store.writes
    await world.pass_time(20 * MINUTE)
    assert world.server.store.writes == writes


async def test_a_rolling_update_never_leaves_its_bounds(world):
    await world.deploy(
        replicas=4, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    )
    await world.until(world.rolled_out)
    await world.set_image("example.test/app:2")
    seen = []

    def done():
        seen.append((world.available(), len(world.pods())))
        return world.rolled_out()

    await world.until(done, step=0.01)
    assert min(available for available, _ in seen) >= 3
    assert max(total for _, total in seen) <= 5
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods()} == {"example.test/app:2"}


async def test_recreate_never_mixes_two_images(world):
    await world.deploy(replicas=2, strategy={"type": "Recreate"})
    await world.until(world.rolled_out)
    await world.set_image("example.test/app:2")
    mixed = []

    def done():
        mixed.append(len({pod["spec"]["containers"][0]["image"] for pod in world.items("", "pods")}) > 1)
        return world.rolled_out()

    await world.until(done, step=0.01)
    assert not any(mixed)


async def test_recreated_pods_that_are_not_ready_are_no_available_deployment(world):
    await world.deploy(replicas=2, strategy={"type": "Recreate"})
    await world.until(world.rolled_out)
    world.kubelet.behaviours.add(Rule(image="*:bad", changes={"never_ready": True}))
    await world.set_image("example.test/app:bad")
    missing = ("False", "MinimumReplicasUnavailable")
    await world.until(lambda: world.condition(world.deployment(), "Available") == missing)


async def test_an_old_template_gets_its_replica_set_back_with_the_next_revision(world):
    await world.deploy()
    await world.until(world.rolled_out)
    first = world.replica_sets()["1"]["metadata"]["name"]
    for image in ("example.test/app:2", "example.test/app:1"):
        await world.set_image(image)
        await world.until(world.rolled_out)
    sets = world.replica_sets()
    assert sorted(sets) == ["2", "3"]
    assert sets["3"]["metadata"]["name"] == first


async def test_a_bad_image_stalls_the_rollout_until_the_deadline_and_the_old_pods_stay(world):
    await world.deploy(replicas=3, progressDeadlineSeconds=60)
    await world.until(world.rolled_out)
    world.kubelet.behaviours.add(Rule(image="*:bad", changes={"pull_error": "manifest unknown"}))
    await world.set_image("example.test/app:bad")
    await world.pass_time(30)
    assert world.available() == 3
    assert world.condition(world.deployment(), "Progressing") == ("True", "ReplicaSetUpdated")
    await world.pass_time(40)
    assert world.condition(world.deployment(), "Progressing") == ("False", "ProgressDeadlineExceeded")
    await world.set_image("example.test/app:3")
    await world.until(world.rolled_out)
    assert world.condition(world.deployment(), "Progressing") == ("True", "NewReplicaSetAvailable")


async def test_a_paused_deployment_scales_and_does_not_roll(world):
    await world.deploy()
    await world.until(world.rolled_out)
    await world.patch("Deployment", "web", {"spec": {"paused": True}})
    await world.set_image("example.test/app:2")
    await world.patch("Deployment", "web", {"spec": {"replicas": 3}}, subresource="scale")
    await world.until(lambda: world.available() == 3)
    assert list(world.replica_sets()) == ["1"]
    await world.patch("Deployment", "web", {"spec": {"paused": False}})
    await world.until(world.rolled_out)
    assert sorted(world.replica_sets()) == ["1", "2"]


async def test_scaling_to_zero_and_back_keeps_the_replica_set(world):
    await world.deploy(replicas=2)
    await world.until(world.rolled_out)
    await world.patch("Deployment", "web", {"spec": {"replicas": 0}}, subresource="scale")
    await world.until(lambda: world.rolled_out() and not world.pods())
    assert world.condition(world.deployment(), "Available")[0] == "True"
    await world.patch("Deployment", "web", {"spec": {"replicas": 2}}, subresource="scale")
    await world.until(world.rolled_out)
    assert len(world.replica_sets()) == 1


async def test_old_revisions_beyond_the_limit_are_forgotten(world):
    await world.deploy(revisionHistoryLimit=2)
    await world.until(world.rolled_out)
    for number in range(2, 7):
        await world.set_image(f"example.test/app:{number}")
        await world.until(world.rolled_out)
    await world.pass_time(1)
    assert sorted(world.replica_sets()) == ["4", "5", "6"]


async def test_min_ready_seconds_delays_availability(world):
    await world.deploy(minReadySeconds=10)
    took = await world.until(lambda: world.available() == 1, within=30)
    assert 9 <= took <= 12


async def test_what_keeps_pods_from_being_made_is_reported(world):
    """As when the injection webhook cannot be reached."""
    webhook = {
        "name": "inject.example.test",
        "clientConfig": {"service": {"name": "absent", "namespace": "shop", "path": "/"}, "caBundle": ""},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    await world.client.create({**head, "metadata": {"name": "broken"}, "webhooks": [webhook]})
    await world.deploy()
    await world.pass_time(2)
    assert world.condition(world.deployment(), "ReplicaFailure") == ("True", "FailedCreate")
    assert any("inject.example.test" in message for message in world.said("FailedCreate"))
    await world.client.delete(head["apiVersion"], head["kind"], "broken")
    await world.until(world.rolled_out)
    assert "ReplicaFailure" not in {c["type"] for c in world.deployment()["status"]["conditions"]}
