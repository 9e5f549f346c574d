"""What the injector makes of pods."""

import copy
import json
from typing import Any

import pytest

from sandbox.patch import json_patch
from sandbox.standins import injection
from sandbox.standins.injection import Settings

Obj = dict[str, Any]

GLOBAL = {
    "hub": "registry.istio.io/release",
    "tag": "1.30.3",
    "proxy": {"image": "proxyv2", "resources": {"requests": {"cpu": "20m"}}},
}
SETTINGS = Settings(values={"global": GLOBAL}, config={"policy": "enabled", "defaultTemplates": ["sidecar"]})


def pod(*, labels: Obj | None = None, annotations: Obj | None = None, container: Obj | None = None, **spec: Any) -> Obj:
    own = {"name": "app", "image": "podinfo:1", "ports": [{"name": "http", "containerPort": 9898}], **(container or {})}
    return {
        "metadata": {
            "generateName": "frontend-abc-",
            "namespace": "weather",
            "labels": {"app": "frontend", "pod-template-hash": "abc", **(labels or {})},
            "annotations": annotations or {},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "frontend-abc", "controller": True}],
        },
        "spec": {"containers": [own], **spec},
    }


def gateway() -> Obj:
    annotations = {"inject.istio.io/templates": "gateway", "prometheus.io/port": "15020"}
    own: Obj = {"name": "istio-proxy", "image": "auto", "ports": [{"containerPort": 15090, "name": "http-envoy-prom"}]}
    own["securityContext"] = {"runAsNonRoot": True}
    made = pod(labels={"app": "ingress"}, annotations=annotations)
    made["spec"]["containers"] = [{**own, "resources": {"requests": {"cpu": "50m"}}}]
    return made


def env(container: Obj) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def test_the_proxy_is_a_native_sidecar() -> None:
    """Among the init containers, always restarted, before those of the application."""
    made = injection.inject(pod(initContainers=[{"name": "migrate", "image": "m:1"}]), SETTINGS)
    names = [container["name"] for container in made["spec"]["initContainers"]]
    assert names == ["istio-init", "istio-proxy", "migrate"]
    proxy = made["spec"]["initContainers"][1]
    assert proxy["restartPolicy"] == "Always"
    assert env(proxy)["ISTIO_META_OWNER"] == "kubernetes://apis/apps/v1/namespaces/weather/deployments/frontend"
    crl = {"name": "istio-ca-crl", "configMap": {"name": "istio-ca-crl", "optional": True}}
    assert made["spec"]["volumes"][-1] == crl
    assert {"name": "istio-ca-crl", "mountPath": "/var/run/secrets/istio/crl"} in proxy["volumeMounts"]
    assert proxy["image"] == "registry.istio.io/release/proxyv2:1.30.3"
    assert proxy["readinessProbe"]["httpGet"] == {"path": "/healthz/ready", "port": 15021}
    assert [container["name"] for container in made["spec"]["containers"]] == ["app"]


def test_without_native_sidecars_it_is_an_ordinary_container() -> None:
    """Where istiod's environment or the pod turns them off."""
    values = {"global": GLOBAL, "pilot": {"env": {"ENABLE_NATIVE_SIDECARS": "false"}}}
    for settings, annotations in (
        (Settings(values=values), {}),
        (SETTINGS, {"sidecar.istio.io/nativeSidecar": "false"}),
    ):
        made = injection.inject(pod(annotations=annotations), settings)
        assert [c["name"] for c in made["spec"]["containers"]] == ["app", "istio-proxy"]
        assert [c["name"] for c in made["spec"]["initContainers"]] == ["istio-init"]


def test_with_the_node_agent_nothing_privileged_runs() -> None:
    """The init container only checks what the agent did."""
    made = injection.inject(pod(), Settings(values={"global": GLOBAL, "pilot": {"cni": {"enabled": True}}}))
    first = made["spec"]["initContainers"][0]
    assert first["name"] == "istio-validation"
    assert "add" not in first["securityContext"]["capabilities"]


def test_labels_and_the_status_say_what_was_done() -> None:
    """The revision is in annotations; the label istio.io/rev, which may name a tag, stays."""
    made = injection.inject(pod(labels={"istio.io/rev": "prod"}), Settings(revision="1-30", values={"global": GLOBAL}))
    labels, annotations = made["metadata"]["labels"], made["metadata"]["annotations"]
    assert labels["security.istio.io/tlsMode"] == "istio"
    assert labels["service.istio.io/canonical-name"] == "frontend"
    assert labels["istio.io/rev"] == "prod"
    status = json.loads(annotations["sidecar.istio.io/status"])
    assert (status["revision"], status["initContainers"]) == ("1-30", ["istio-init", "istio-proxy"])
    assert annotations["kubectl.kubernetes.io/default-container"] == "app"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (pod(), True),
        (pod(labels={"sidecar.istio.io/inject": "false"}), False),
        (pod(annotations={"sidecar.istio.io/inject": "false"}), False),
        (pod(labels={"sidecar.istio.io/inject": "true"}, annotations={"sidecar.istio.io/inject": "false"}), True),
        (pod(hostNetwork=True), False),
        (pod(labels={"job": "never"}), False),
    ],
)
def test_some_pods_are_left_alone(given: Obj, wanted: bool) -> None:
    """The pod's label wins over its annotation; the host's network is never touched."""
    config = {"policy": "enabled", "neverInjectSelector": [{"matchLabels": {"job": "never"}}]}
    assert injection.wanted(given, Settings(values={"global": GLOBAL}, config=config)) is wanted


def test_system_namespaces_are_left_alone() -> None:
    """Whatever their labels say."""
    given = pod()
    given["metadata"]["namespace"] = "kube-system"
    assert not injection.wanted(given, SETTINGS)


def test_probes_of_the_application_go_to_the_agent() -> None:
    """By HTTP; the proxy is told what they were, with numbers for the ports' names; exec probes stay."""
    probes = {
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "timeoutSeconds": 3, "periodSeconds": 7},
        "readinessProbe": {"grpc": {"port": 9999}},
        "startupProbe": {"exec": {"command": ["true"]}},
    }
    made = injection.inject(pod(container=probes), SETTINGS)
    app, proxy = made["spec"]["containers"][0], made["spec"]["initContainers"][1]
    assert app["livenessProbe"]["httpGet"] == {"path": "/app-health/app/livez", "port": 15020, "scheme": "HTTP"}
    assert app["livenessProbe"]["periodSeconds"] == 7
    assert app["startupProbe"] == probes["startupProbe"]
    assert json.loads(env(proxy)["ISTIO_KUBE_APP_PROBERS"]) == {
        "/app-health/app/livez": {"httpGet": {"path": "/live", "port": 9898}, "timeoutSeconds": 3},
        "/app-health/app/readyz": {"grpc": {"port": 9999}},
    }


def test_probes_stay_where_a_pod_wants_it() -> None:
    """The annotation turns the rewriting off."""
    probe = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}}}
    annotations = {"sidecar.istio.io/rewriteAppHTTPProbers": "false"}
    made = injection.inject(pod(annotations=annotations, container=probe), SETTINGS)
    assert made["spec"]["containers"][0]["readinessProbe"] == probe["readinessProbe"]


def test_prometheus_is_sent_to_the_merged_metrics() -> None:
    """The proxy remembers where the application's own are; a pod that is not scraped stays so."""
    made = injection.inject(pod(annotations={"prometheus.io/scrape": "true", "prometheus.io/port": "9797"}), SETTINGS)
    assert made["metadata"]["annotations"]["prometheus.io/port"] == "15020"
    assert made["metadata"]["annotations"]["prometheus.io/path"] == "/stats/prometheus"
    own = env(made["spec"]["initContainers"][1])["ISTIO_PROMETHEUS_ANNOTATIONS"]
    assert json.loads(own) == {"scrape": "true", "port": "9797"}
    silent = injection.inject(pod(annotations={"prometheus.io/scrape": "false"}), SETTINGS)
    assert "prometheus.io/port" not in silent["metadata"]["annotations"]


def test_a_gateways_own_container_is_completed() -> None:
    """`image: auto` is filled in, what it says of its own stays, and nothing is redirected."""
    made = injection.inject(gateway(), SETTINGS)
    (proxy,) = made["spec"]["containers"]
    assert proxy["image"] == "registry.istio.io/release/proxyv2:1.30.3"
    assert proxy["args"][:2] == ["proxy", "router"]
    assert proxy["resources"] == {"requests": {"cpu": "50m"}}
    assert proxy["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1337, "runAsGroup": 1337}
    assert "initContainers" not in made["spec"]
    assert "security.istio.io/tlsMode" not in made["metadata"]["labels"]


def test_an_unknown_template_is_refused() -> None:
    """With the names of those that are there."""
    with pytest.raises(injection.BadPod, match='"nope" not found; have gateway, sidecar'):
        injection.inject(pod(annotations={"inject.istio.io/templates": "nope"}), SETTINGS)


@pytest.mark.parametrize("given", [pod(), gateway(), pod(volumes=[{"name": "data", "emptyDir": {}}])])
def test_the_patch_leads_from_one_to_the_other(given: Obj) -> None:
    """And the pod that was handed in is not changed."""
    before = copy.deepcopy(given)
    after = injection.inject(given, SETTINGS)
    assert given == before
    assert json_patch.apply(copy.deepcopy(given), injection.patch(given, after)) == after
