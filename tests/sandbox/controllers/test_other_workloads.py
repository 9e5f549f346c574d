"""StatefulSets, DaemonSets, Jobs, autoscalers and budgets."""

TEMPLATE = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {"containers": [{"name": "main", "image": "example.test/x:1"}]},
}


def thing(api_version, kind, name="x", **spec):
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def stateful_set(**spec):
    body = {"serviceName": "x", "selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE, **spec}
    return thing("apps/v1", "StatefulSet", **body)


def images(world):
    return {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in world.pods()}


async def test_a_stateful_set_makes_its_pods_in_order(world):
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    await world.client.create(stateful_set(replicas=3, volumeClaimTemplates=[claim]))
    orders = []

    def all_ready():
        orders.append(sorted(images(world)))
        return world.find("apps", "statefulsets", "x")["status"].get("readyReplicas") == 3

    await world.until(all_ready, step=0.01)
    steps = [names for number, names in enumerate(orders) if not number or names != orders[number - 1]]
    assert [names for names in steps if names] == [["x-0"], ["x-0", "x-1"], ["x-0", "x-1", "x-2"]]
    claims = world.items("", "persistentvolumeclaims")
    assert {c["metadata"]["name"] for c in claims} == {"data-x-0", "data-x-1", "data-x-2"}
    await world.pass_time(0.1)
    assert {c["status"]["phase"] for c in world.items("", "persistentvolumeclaims")} == {"Bound"}


async def test_a_stateful_set_rolls_from_the_last_pod_to_the_first(world):
    await world.client.create(stateful_set(replicas=2))
    await world.until(lambda: world.find("apps", "statefulsets", "x")["status"].get("readyReplicas") == 2)
    change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example.test/x:2"}]}}}}
    await world.patch("StatefulSet", "x", change)
    seen = []

    def done():
        seen.append(images(world))
        status = world.find("apps", "statefulsets", "x")["status"]
        return status["observedGeneration"] == 2 and status.get("updatedReplicas") == 2 == status.get("readyReplicas")

    await world.until(done, step=0.01)
    assert {"x-0": "example.test/x:1", "x-1": "example.test/x:2"} in seen
    assert {"x-0": "example.test/x:2", "x-1": "example.test/x:1"} not in seen
    status = world.find("apps", "statefulsets", "x")["status"]
    assert status["currentRevision"] == status["updateRevision"]


async def test_a_daemon_set_has_one_pod_on_the_node(world):
    await world.client.create(thing("apps/v1", "DaemonSet", selector={"matchLabels": {"app": "x"}}, template=TEMPLATE))
    await world.until(lambda: world.find("apps", "daemonsets", "x")["status"].get("numberAvailable") == 1)
    assert [pod["spec"]["nodeName"] for pod in world.pods()] == ["sandbox-node"]


def job(containers=None, **spec):
    pod = {"restartPolicy": "Never", "containers": containers or [{"name": "main", "image": "example.test/job:1"}]}
    return thing("batch/v1", "Job", template={"spec": pod}, **spec)


def job_conditions(world):
    return {
        c["type"] for c in world.find("batch", "jobs", "x")["status"].get("conditions") or () if c["status"] == "True"
    }


async def test_a_job_completes(world):
    await world.client.create(job(completions=3, parallelism=2))
    await world.until(lambda: "Complete" in job_conditions(world))
    status = world.find("batch", "jobs", "x")["status"]
    assert (status["succeeded"], status.get("active", 0)) == (3, 0)
    assert status["completionTime"]


async def test_a_job_with_an_ordinary_proxy_container_never_ends(world):
    proxy = {"name": "istio-proxy", "image": "example.test/proxyv2:1"}
    await world.client.create(job([{"name": "main", "image": "example.test/job:1"}, proxy]))
    await world.pass_time(60)
    assert "Complete" not in job_conditions(world)


async def test_a_job_with_a_native_sidecar_ends(world):
    body = job()
    proxy = {"name": "istio-proxy", "image": "example.test/proxyv2:1", "restartPolicy": "Always"}
    body["spec"]["template"]["spec"]["initContainers"] = [proxy]
    await world.client.create(body)
    await world.until(lambda: "Complete" in job_conditions(world))


def autoscaler(target, **spec):
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    return thing("autoscaling/v2", "HorizontalPodAutoscaler", scaleTargetRef=reference, **spec)


async def test_an_autoscaler_raises_its_target_to_the_minimum_and_follows_the_load(world):
    await world.deploy()
    await world.client.create(autoscaler("web", minReplicas=2, maxReplicas=5))
    await world.until(lambda: world.available() == 2)
    world.controllers.autoscalers.measure("shop", "web", 320)
    await world.until(lambda: world.available() == 4)
    status = world.find("autoscaling", "horizontalpodautoscalers", "x")["status"]
    assert {c["type"]: c["status"] for c in status["conditions"]}["ScalingActive"] == "True"


async def test_an_autoscaler_says_what_it_measured_of_one_container_as_of_whole_pods(world):
    target = {"type": "Utilization", "averageUtilization": 50}
    app = {"name": "cpu", "container": "app", "target": target}
    await world.deploy(replicas=2)
    metrics = [{"type": "ContainerResource", "containerResource": app}]
    await world.client.create(autoscaler("web", minReplicas=2, maxReplicas=5, metrics=metrics))
    world.controllers.autoscalers.measure("shop", "web", 150)
    await world.until(lambda: world.available() == 3)
    (found,) = world.find("autoscaling", "horizontalpodautoscalers", "x")["status"]["currentMetrics"]
    assert found["containerResource"]["container"] == "app"
    assert found["containerResource"]["current"]["averageUtilization"] == 50


async def test_an_autoscaler_leaves_a_target_at_zero_alone(world):
    """As Flagger does with the target of a canary."""
    await world.deploy(replicas=0)
    await world.client.create(autoscaler("web", minReplicas=2, maxReplicas=5))
    await world.pass_time(5)
    hpa = world.find("autoscaling", "horizontalpodautoscalers", "x")
    assert world.condition(hpa, "ScalingActive") == ("False", "ScalingDisabled")
    assert world.deployment()["spec"]["replicas"] == 0


async def test_a_budget_counts_the_healthy_pods(world):
    await world.client.create(
        thing("policy/v1", "PodDisruptionBudget", minAvailable=1, selector={"matchLabels": {"app": "web"}})
    )
    await world.deploy(replicas=2)
    await world.until(world.rolled_out)
    await world.pass_time(0.1)
    status = world.find("policy", "poddisruptionbudgets", "x")["status"]
    assert (status["disruptionsAllowed"], status["currentHealthy"], status["expectedPods"]) == (1, 2, 2)


async def test_the_node_is_ready_and_has_its_version(world):
    node = world.find("", "nodes", "sandbox-node", None)
    assert world.condition(node, "Ready")[0] == "True"
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.36")
