"""istiod in a cluster: its webhooks over real HTTPS, and what it writes."""

from __future__ import annotations

import json
from typing import Any

from tests.sandbox.standins.conftest import House

Obj = dict[str, Any]
WEBHOOKS = "admissionregistration.k8s.io/v1"
VALIDATOR = "ValidatingWebhookConfiguration"


def pod(name: str, namespace: str, **labels: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name, **labels}},
        "spec": {"containers": [{"name": "app", "image": "podinfo:1"}]},
    }


def virtual_service(*hosts: str) -> Obj:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "routes", "namespace": "weather"},
        "spec": {"hosts": list(hosts), "http": [{"route": [{"destination": {"host": "frontend"}}]}]},
    }


async def names(house: House, name: str, namespace: str, **labels: str) -> list[str]:
    """The containers of a new pod, those of the start first."""
    made = await house.client.create(pod(name, namespace, **labels))
    spec = made["spec"]
    return [container["name"] for container in [*(spec.get("initContainers") or []), *spec["containers"]]]


async def test_pods_of_labelled_namespaces_get_a_proxy(mesh: House) -> None:
    """`istio-injection`, `istio.io/rev`, and the pod's own label, as the webhook's selectors have them."""
    await mesh.namespace("weather", istio_injection="enabled")
    await mesh.namespace("plain")
    proxied = ["istio-init", "istio-proxy", "app"]
    assert await names(mesh, "one", "weather") == proxied
    assert await names(mesh, "two", "weather", **{"sidecar.istio.io/inject": "false"}) == ["app"]
    assert await names(mesh, "three", "plain") == ["app"]
    assert await names(mesh, "four", "plain", **{"sidecar.istio.io/inject": "true"}) == proxied
    assert await names(mesh, "five", "plain", **{"istio.io/rev": "default"}) == proxied


async def test_disabled_wins_over_a_revision(mesh: House) -> None:
    """With both labels on a namespace, istio-injection decides."""
    labels = {"istio-injection": "disabled", "istio.io/rev": "default"}
    metadata = {"name": "both", "labels": labels}
    await mesh.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert await names(mesh, "one", "both") == ["app"]


async def test_it_puts_its_authority_and_fail_into_its_webhooks(mesh: House) -> None:
    """As pilot-discovery, and again when somebody takes them out."""
    found = await mesh.client.get(WEBHOOKS, VALIDATOR, "istiod-default-validator")
    assert found is not None
    assert found["webhooks"][0]["failurePolicy"] == "Fail"
    assert "pilot-discovery" in {entry["manager"] for entry in found["metadata"]["managedFields"]}
    client = {**found["webhooks"][0]["clientConfig"], "caBundle": None}
    broken = [{**found["webhooks"][0], "failurePolicy": "Ignore", "clientConfig": client}]
    await mesh.client.patch(WEBHOOKS, VALIDATOR, "istiod-default-validator", None, {"webhooks": broken})
    await mesh.until(
        WEBHOOKS,
        VALIDATOR,
        "",
        "istiod-default-validator",
        lambda o: o["webhooks"][0]["clientConfig"].get("caBundle") and o["webhooks"][0]["failurePolicy"] == "Fail",
    )


async def test_it_refuses_what_no_schema_sees(mesh: House) -> None:
    """Through the API server, in the words of an admission denial."""
    await mesh.namespace("weather")
    refusal = await mesh.refused(virtual_service("not a host"))
    assert refusal.code == 400
    assert "configuration is invalid: domain name 'not a host' invalid" in refusal.message
    await mesh.client.create(virtual_service("frontend"))


async def test_without_istiod_no_pod_is_made_in_the_mesh(mesh: House) -> None:
    """The injector fails closed: scaled to zero, it blocks labelled namespaces, and only those."""
    await mesh.namespace("weather", istio_injection="enabled")
    await mesh.namespace("plain")
    await mesh.client.patch("apps/v1", "Deployment", "istiod", "istio-system", {"spec": {"replicas": 0}})
    await mesh.until("apps/v1", "Deployment", "istio-system", "istiod", lambda o: not o["status"].get("replicas"))
    refusal = await mesh.refused(pod("one", "weather"))
    assert refusal.code == 500
    assert 'failed calling webhook "namespace.sidecar-injector.istio.io"' in refusal.message
    assert await names(mesh, "two", "plain") == ["app"]


async def test_every_namespace_has_the_root_certificate(mesh: House) -> None:
    """Those that come later, too."""
    await mesh.namespace("late")
    found = await mesh.until("v1", "ConfigMap", "late", "istio-ca-root-cert", lambda o: o["data"])
    assert found["data"]["root-cert.pem"].startswith("-----BEGIN CERTIFICATE-----")


async def test_its_version_answers(mesh: House) -> None:
    """On the monitoring port, with the image's tag."""
    answer = await mesh.get("http://istiod.istio-system:15014/version")
    assert answer.text.startswith("1.30.3-")
    assert (await mesh.get("http://istiod.istio-system.svc.cluster.local:15014/ready")).status_code == 200


async def test_a_gateway_is_filled_in_and_routes(mesh: House) -> None:
    """`image: auto` becomes the proxy's; it has an address, is ready, and answers by its routes."""
    await mesh.namespace("istio-ingress", istio_injection="enabled")
    await mesh.namespace("weather")
    await mesh.install("gateway", "istio-ingressgateway", "istio-ingress")
    (made,) = await mesh.client.list("v1", "Pod", "istio-ingress")
    assert [c["image"] for c in made["spec"]["containers"]] == ["registry.istio.io/release/proxyv2:1.30.3"]
    where = "http://istio-ingressgateway.istio-ingress"
    assert (await mesh.get(f"{where}:15021/healthz/ready")).status_code == 200
    await mesh.until("v1", "Service", "istio-ingress", "istio-ingressgateway", lambda o: o["status"]["loadBalancer"])
    assert (await mesh.get(f"{where}/")).status_code == 404
    server = {"port": {"name": "http", "number": 80, "protocol": "HTTP"}, "hosts": ["*"]}
    await mesh.client.create(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "weather", "namespace": "istio-ingress"},
            "spec": {"selector": {"istio": "ingressgateway"}, "servers": [server]},
        }
    )
    routes = virtual_service("weather.example.com")
    routes["spec"]["gateways"] = ["istio-ingress/weather"]
    await mesh.client.create(routes)
    answer = await mesh.get(f"{where}/", headers={"Host": "weather.example.com"})
    assert (answer.status_code, answer.text) == (503, "no healthy upstream")


async def test_the_node_agent_takes_the_privileged_container_away(house: House) -> None:
    """With the chart cni and istiod told of it, pods only check what the agent did."""
    await house.namespace("istio-system")
    await house.install("base", "istio-base", "istio-system")
    await house.install("cni", "istio-cni", "istio-system")
    await house.until("apps/v1", "DaemonSet", "istio-system", "istio-cni-node", lambda o: o["status"]["numberReady"])
    await house.install("istiod", "istiod", "istio-system", {"pilot": {"cni": {"enabled": True}}})
    kind = "MutatingWebhookConfiguration"
    await house.until(
        WEBHOOKS, kind, "", "istio-sidecar-injector", lambda o: o["webhooks"][0]["clientConfig"].get("caBundle")
    )
    await house.namespace("weather", istio_injection="enabled")
    assert await names(house, "one", "weather") == ["istio-validation", "istio-proxy", "app"]


async def test_two_revisions_stand_side_by_side(mesh: House) -> None:
    """Each serves its own label; pods carry the revision that injected them."""
    await mesh.install("istiod", "istiod-next", "istio-system", {"revision": "next", "revisionTags": ["prod"]})
    tag = "istio-revision-tag-prod"
    kind = "MutatingWebhookConfiguration"
    await mesh.until(WEBHOOKS, kind, "", tag, lambda o: o["webhooks"][0]["clientConfig"].get("caBundle"))
    for namespace, label in (("new", "next"), ("tagged", "prod"), ("old", "default")):
        await mesh.client.create(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace, "labels": {"istio.io/rev": label}},
            }
        )
        made = await mesh.client.create(pod("one", namespace))
        status = json.loads(made["metadata"]["annotations"]["sidecar.istio.io/status"])
        assert status["revision"] == ("default" if namespace == "old" else "next")
