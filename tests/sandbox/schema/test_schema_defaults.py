"""What is filled into built-in kinds."""

import pytest

from sandbox.schema import defaults
from sandbox.schema.defaulting import pods

TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "main", "image": "app:1"}]}}
CONTAINER = {
    "name": "main",
    "image": "app:1",
    "imagePullPolicy": "IfNotPresent",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
POD_SPEC = {
    "containers": [CONTAINER],
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}


def test_a_deployment_with_everything_left_out(stored):
    assert stored("apps/v1", "Deployment", spec={"template": TEMPLATE})["spec"] == {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": POD_SPEC},
    }


def test_what_is_there_stays(stored):
    spec = {"replicas": 0, "strategy": {"type": "Recreate"}, "template": TEMPLATE}
    found = stored("apps/v1", "Deployment", spec=spec)["spec"]
    assert (found["replicas"], found["strategy"]) == (0, {"type": "Recreate"})


def test_a_rolling_update_is_filled_up(stored):
    spec = {"strategy": {"rollingUpdate": {"maxSurge": 1}}, "template": TEMPLATE}
    found = stored("apps/v1", "Deployment", spec=spec)["spec"]["strategy"]
    assert found == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 1}}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("host:5000/app", "Always"),
        ("host:5000/app:1", "IfNotPresent"),
        ("app@sha256:00", "IfNotPresent"),
        ("app:latest@sha256:00", "Always"),
    ],
)
def test_the_pull_policy_depends_on_the_tag(image, policy):
    container = {"image": image}
    pods.RULES["Container"](container)
    assert container["imagePullPolicy"] == policy


def test_a_pod_requests_what_it_is_limited_to(stored):
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}
    pod = stored("v1", "Pod", spec={"containers": [{"name": "a", "image": "a:1", "resources": resources}]})
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}
    assert pod["spec"]["enableServiceLinks"] is True
    template = {"spec": {"containers": [{"name": "a", "image": "a:1", "resources": {"limits": {"cpu": "1"}}}]}}
    found = stored("apps/v1", "Deployment", spec={"template": template})["spec"]["template"]["spec"]
    assert found["containers"][0]["resources"] == {"limits": {"cpu": "1"}}, "a template is no pod"


def test_probes_and_volumes_inside_a_template(stored):
    container = {
        "name": "a",
        "image": "a:1",
        "readinessProbe": {"httpGet": {"port": 80}},
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    }
    volumes = [
        {"name": "e"},
        {"name": "c", "configMap": {"name": "c"}},
        {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
    ]
    template = {"spec": {"containers": [container], "volumes": volumes, "serviceAccountName": "sa"}}
    spec = stored("apps/v1", "DaemonSet", spec={"template": template})["spec"]["template"]["spec"]
    assert spec["containers"][0]["readinessProbe"] == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert spec["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    token = {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}
    assert spec["volumes"] == [
        {"name": "e", "emptyDir": {}},
        {"name": "c", "configMap": {"name": "c", "defaultMode": 420}},
        {"name": "p", "projected": {"sources": [token], "defaultMode": 420}},
    ]
    assert spec["serviceAccount"] == "sa"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}),
        (
            {"type": "LoadBalancer"},
            {
                "type": "LoadBalancer",
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "externalTrafficPolicy": "Cluster",
                "allocateLoadBalancerNodePorts": True,
            },
        ),
        ({"type": "ExternalName"}, {"type": "ExternalName", "sessionAffinity": "None"}),
        (
            {"sessionAffinity": "ClientIP"},
            {
                "type": "ClusterIP",
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
                "internalTrafficPolicy": "Cluster",
            },
        ),
    ],
)
def test_a_service_by_its_type(stored, spec, expected):
    assert stored("v1", "Service", spec=spec)["spec"] == expected


def test_a_service_port_goes_to_the_same_port(stored):
    ports = stored("v1", "Service", spec={"ports": [{"port": 80}, {"port": 81, "targetPort": "http"}]})["spec"]["ports"]
    assert ports == [
        {"port": 80, "protocol": "TCP", "targetPort": 80},
        {"port": 81, "protocol": "TCP", "targetPort": "http"},
    ]


def test_string_data_ends_up_encoded(stored):
    secret = stored("v1", "Secret", data={"a": "YQ=="}, stringData={"b": "b"})
    assert secret == {"metadata": {"name": "x"}, "type": "Opaque", "data": {"a": "YQ==", "b": "Yg=="}}


def test_a_job_runs_once_and_takes_the_labels_of_its_template(stored):
    job = stored("batch/v1", "Job", spec={"template": TEMPLATE})
    assert job["metadata"]["labels"] == {"app": "x"}
    spec = {key: value for key, value in job["spec"].items() if key != "template"}
    assert spec == {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "TerminatingOrFailed",
    }


def test_an_autoscaler_looks_at_the_processor(stored):
    spec = stored("autoscaling/v2", "HorizontalPodAutoscaler", spec={"maxReplicas": 3, "behavior": {"scaleDown": {}}})[
        "spec"
    ]
    assert spec["minReplicas"] == 1
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    assert spec["behavior"]["scaleUp"]["policies"][0] == {"type": "Pods", "value": 4, "periodSeconds": 15}
    assert "stabilizationWindowSeconds" not in spec["behavior"]["scaleDown"]


def test_a_webhook_fails_closed_after_ten_seconds(stored):
    hook = {
        "name": "a.b.c",
        "clientConfig": {"service": {"name": "s", "namespace": "n"}},
        "rules": [{"operations": ["*"]}],
    }
    found = stored("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", webhooks=[hook])["webhooks"][0]
    assert found == {
        "name": "a.b.c",
        "clientConfig": {"service": {"name": "s", "namespace": "n", "port": 443}},
        "rules": [{"operations": ["*"], "scope": "*"}],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
        "reinvocationPolicy": "Never",
    }


@pytest.mark.parametrize(
    ("api_version", "kind", "parts", "path", "expected"),
    [
        ("v1", "Namespace", {}, ("metadata", "labels"), {"kubernetes.io/metadata.name": "x"}),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            {"spec": {"egress": [{}]}},
            ("spec", "policyTypes"),
            ["Ingress", "Egress"],
        ),
        ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {}}, ("spec", "podSelector"), {}),
        ("apps/v1", "StatefulSet", {"spec": {}}, ("spec", "podManagementPolicy"), "OrderedReady"),
        ("batch/v1", "CronJob", {"spec": {}}, ("spec", "concurrencyPolicy"), "Allow"),
        ("v1", "PersistentVolumeClaim", {"spec": {}}, ("spec", "volumeMode"), "Filesystem"),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            {"roleRef": {"kind": "Role", "name": "r"}},
            ("roleRef", "apiGroup"),
            "rbac.authorization.k8s.io",
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            {"spec": {"names": {"kind": "Widget"}}},
            ("spec", "names"),
            {"kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
        ),
        ("storage.k8s.io/v1", "StorageClass", {"provisioner": "p"}, ("volumeBindingMode",), "Immediate"),
        (
            "discovery.k8s.io/v1",
            "EndpointSlice",
            {"ports": [{"port": 80}]},
            ("ports",),
            [{"port": 80, "protocol": "TCP", "name": ""}],
        ),
        ("discovery.k8s.io/v1", "EndpointSlice", {}, ("endpoints",), None),
        ("rbac.authorization.k8s.io/v1", "Role", {"rules": []}, ("rules",), None),
    ],
)
def test_other_kinds(stored, api_version, kind, parts, path, expected):
    found = stored(api_version, kind, **parts)
    for key in path:
        found = found[key]
    assert found == expected


def test_filling_in_twice_changes_nothing_more(node_of, stored):
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        obj = stored("apps/v1", kind, spec={"template": TEMPLATE})
        again = stored("apps/v1", kind, spec={"template": TEMPLATE})
        defaults.apply(node_of("apps/v1", kind), again)
        assert again == obj
