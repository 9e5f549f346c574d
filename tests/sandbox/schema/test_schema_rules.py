"""What makes an object of a built-in kind invalid."""

import pytest

from sandbox.schema import validate

MAIN = {"name": "main", "image": "app:1"}


def template(*containers, labels=None, **spec):
    return {"metadata": {"labels": labels or {"app": "x"}}, "spec": {"containers": list(containers) or [MAIN], **spec}}


def workload(*containers, **spec):
    return {"selector": {"matchLabels": {"app": "x"}}, "template": template(*containers), **spec}


def test_a_complete_deployment_is_valid(problems):
    assert problems("apps/v1", "Deployment", spec=workload()) == []


def test_all_errors_are_found_together(problems):
    spec = workload({"name": "main"}, {"name": "main", "image": "x"}, replicas=-1)
    assert problems("apps/v1", "Deployment", spec=spec) == [
        ("FieldValueInvalid", "spec.replicas"),
        ("FieldValueRequired", "spec.template.spec.containers[0].image"),
        ("FieldValueDuplicate", "spec.template.spec.containers[1].name"),
    ]


@pytest.mark.parametrize(
    ("meta", "reason", "field"),
    [
        ({"name": "Bad_Name"}, "FieldValueInvalid", "metadata.name"),
        ({"name": ""}, "FieldValueRequired", "metadata.name"),
        ({"name": "x" * 254}, "FieldValueInvalid", "metadata.name"),
        ({"name": "x", "generateName": "Bad_"}, "FieldValueInvalid", "metadata.generateName"),
        ({"name": "x", "labels": {"bad key!": "v"}}, "FieldValueInvalid", "metadata.labels"),
        ({"name": "x", "labels": {"key": "not valid!"}}, "FieldValueInvalid", "metadata.labels"),
        ({"name": "x", "labels": {"/key": "v"}}, "FieldValueInvalid", "metadata.labels"),
        ({"name": "x", "annotations": {"a b": "v"}}, "FieldValueInvalid", "metadata.annotations"),
        ({"name": "x", "annotations": {"a": "v" * 300_000}}, "FieldValueTooLong", "metadata.annotations"),
        ({"name": "x", "finalizers": ["mine"]}, "FieldValueInvalid", "metadata.finalizers[0]"),
        (
            {"name": "x", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]},
            "FieldValueInvalid",
            "metadata.ownerReferences.uid",
        ),
    ],
)
def test_metadata_is_checked_for_every_kind(problems, meta, reason, field):
    assert problems("v1", "ConfigMap", metadata=meta) == [(reason, field)]


@pytest.mark.parametrize(
    ("api_version", "kind", "name", "valid"),
    [
        ("v1", "ConfigMap", "a.b", True),
        ("v1", "Namespace", "a.b", False),
        ("v1", "Service", "1a", False),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "system:node:X", True),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "a/b", False),
    ],
)
def test_the_alphabet_of_a_name_depends_on_the_kind(problems, api_version, kind, name, valid):
    found = [field for _, field in problems(api_version, kind, metadata={"name": name}) if field == "metadata.name"]
    assert (found == []) is valid


@pytest.mark.parametrize(
    ("container", "reason", "field"),
    [
        ({"image": ""}, "FieldValueRequired", "image"),
        ({"name": "A"}, "FieldValueInvalid", "name"),
        ({"imagePullPolicy": "Sometimes"}, "FieldValueNotSupported", "imagePullPolicy"),
        ({"ports": [{"containerPort": 70000}]}, "FieldValueInvalid", "ports[0].containerPort"),
        ({"ports": [{"containerPort": 0}]}, "FieldValueRequired", "ports[0].containerPort"),
        ({"ports": [{"containerPort": 1, "protocol": "XTP"}]}, "FieldValueNotSupported", "ports[0].protocol"),
        (
            {"ports": [{"containerPort": 1, "name": "n"}, {"containerPort": 2, "name": "n"}]},
            "FieldValueDuplicate",
            "ports[1].name",
        ),
        ({"env": [{"value": "x"}]}, "FieldValueRequired", "env[0].name"),
        (
            {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            "FieldValueInvalid",
            "env[0].valueFrom",
        ),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, "FieldValueNotFound", "volumeMounts[0].name"),
        ({"livenessProbe": {}}, "FieldValueRequired", "livenessProbe"),
        ({"livenessProbe": {"tcpSocket": {"port": 0}}}, "FieldValueInvalid", "livenessProbe.tcpSocket.port"),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1001m"}}},
            "FieldValueInvalid",
            "resources.requests",
        ),
        ({"resources": {"limits": {"cpu": "-1"}}}, "FieldValueInvalid", "resources.limits[cpu]"),
    ],
)
def test_a_container_is_checked(problems, container, reason, field):
    spec = workload({**MAIN, **container})
    assert problems("apps/v1", "Deployment", spec=spec) == [(reason, f"spec.template.spec.containers[0].{field}")]


@pytest.mark.parametrize(
    ("api_version", "kind", "parts", "expected"),
    [
        ("v1", "Pod", {"spec": {}}, [("FieldValueRequired", "spec.containers")]),
        (
            "v1",
            "Pod",
            {"spec": {"containers": [MAIN], "restartPolicy": "x"}},
            [("FieldValueNotSupported", "spec.restartPolicy")],
        ),
        (
            "v1",
            "Pod",
            {"spec": {"containers": [MAIN], "volumes": [{"name": "a"}, {"name": "a"}]}},
            [("FieldValueDuplicate", "spec.volumes[1].name")],
        ),
        (
            "apps/v1",
            "Deployment",
            {"spec": {"template": template()}},
            [("FieldValueRequired", "spec.selector"), ("FieldValueInvalid", "spec.template.metadata.labels")],
        ),
        (
            "apps/v1",
            "Deployment",
            {"spec": workload() | {"selector": {"matchLabels": {"app": "y"}}}},
            [("FieldValueInvalid", "spec.template.metadata.labels")],
        ),
        (
            "apps/v1",
            "Deployment",
            {"spec": workload(strategy={"type": "Recreate", "rollingUpdate": {}})},
            [("FieldValueForbidden", "spec.strategy.rollingUpdate")],
        ),
        (
            "apps/v1",
            "Deployment",
            {"spec": workload(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})},
            [("FieldValueInvalid", "spec.strategy.rollingUpdate.maxUnavailable")],
        ),
        (
            "apps/v1",
            "Deployment",
            {"spec": workload(progressDeadlineSeconds=5, minReadySeconds=5)},
            [("FieldValueInvalid", "spec.progressDeadlineSeconds")],
        ),
        (
            "apps/v1",
            "Deployment",
            {"spec": {**workload(), "template": template(restartPolicy="Never")}},
            [("FieldValueNotSupported", "spec.template.spec.restartPolicy")],
        ),
        (
            "batch/v1",
            "Job",
            {"spec": {"template": template()}},
            [("FieldValueRequired", "spec.template.spec.restartPolicy")],
        ),
        (
            "batch/v1",
            "CronJob",
            {"spec": {"jobTemplate": {"spec": {"template": template(restartPolicy="Never")}}}},
            [("FieldValueRequired", "spec.schedule")],
        ),
        (
            "apps/v1",
            "DaemonSet",
            {"spec": workload(updateStrategy={"rollingUpdate": {"maxSurge": 1}})},
            [("FieldValueInvalid", "spec.updateStrategy.rollingUpdate.maxSurge")],
        ),
        (
            "apps/v1",
            "StatefulSet",
            {"spec": workload(podManagementPolicy="x")},
            [("FieldValueInvalid", "spec.podManagementPolicy")],
        ),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            {"spec": {"ingress": [{"ports": [{"port": 0}], "from": [{}]}]}},
            [("FieldValueInvalid", "spec.ingress[0].ports[0].port"), ("FieldValueRequired", "spec.ingress[0].from[0]")],
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {
                "spec": {
                    "maxReplicas": 2,
                    "scaleTargetRef": {"kind": "D", "name": "d"},
                    "metrics": [{"type": "Resource"}],
                }
            },
            [
                ("FieldValueInvalid", "spec.scaleTargetRef.apiVersion"),
                ("FieldValueRequired", "spec.metrics[0].resource"),
            ],
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {
                "spec": {
                    "minReplicas": 3,
                    "maxReplicas": 2,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment"},
                }
            },
            [("FieldValueInvalid", "spec.maxReplicas"), ("FieldValueRequired", "spec.scaleTargetRef.name")],
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            {"spec": {"minAvailable": 1, "maxUnavailable": "x"}},
            [("FieldValueInvalid", "spec"), ("FieldValueInvalid", "spec.maxUnavailable")],
        ),
        ("v1", "ConfigMap", {"data": {"a b": ""}}, [("FieldValueInvalid", "data[a b]")]),
        (
            "v1",
            "Secret",
            {"type": "kubernetes.io/tls"},
            [("FieldValueRequired", "data[tls.crt]"), ("FieldValueRequired", "data[tls.key]")],
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "Role",
            {"rules": [{"apiGroups": [""], "resources": ["pods"]}]},
            [("FieldValueRequired", "rules[0].verbs")],
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            {"roleRef": {"kind": "Role", "name": "r"}},
            [("FieldValueNotSupported", "roleRef.kind")],
        ),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            {"webhooks": [{"name": "a.b", "admissionReviewVersions": ["v1"], "clientConfig": {}}]},
            [
                ("FieldValueInvalid", "webhooks[0].name"),
                ("FieldValueRequired", "webhooks[0].sideEffects"),
                ("FieldValueRequired", "webhooks[0].clientConfig"),
            ],
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            {"spec": {}},
            [("FieldValueRequired", "spec.accessModes"), ("FieldValueRequired", "spec.resources[storage]")],
        ),
    ],
)
def test_each_kind_has_rules_of_its_own(problems, api_version, kind, parts, expected):
    assert problems(api_version, kind, **parts) == expected


def test_messages_are_the_api_servers(node_of, stored):
    found = validate.validate(
        node_of("apps/v1", "Deployment"), stored("apps/v1", "Deployment", spec=workload(replicas=-1))
    )
    assert [str(error) for error in found] == ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]
    meta = {"name": "x", "labels": {"a": "b!"}}
    (error,) = validate.validate(node_of("v1", "ConfigMap"), stored("v1", "ConfigMap", metadata=meta))
    assert error.message.startswith('Invalid value: "b!": a valid label must be an empty string or consist of')


def definition(**spec):
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    called = {"plural": "widgets", "kind": "Widget"}
    return {"group": "example.test", "scope": "Namespaced", "names": called, "versions": [version], **spec}


def with_schema(schema):
    return {"versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"group": "other.test"}, "metadata.name"),
        ({"scope": "World"}, "spec.scope"),
        ({"versions": [{"name": "v1", "storage": True}]}, "spec.versions[0].schema.openAPIV3Schema"),
        ({"versions": definition()["versions"] * 2}, "spec.versions"),
        (with_schema({"type": "string"}), "spec.versions[0].schema.openAPIV3Schema.type"),
        (
            with_schema({"type": "object", "properties": {"a": {}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[a].type",
        ),
        (
            with_schema({"type": "object", "properties": {"a": {"type": "array"}}}),
            "spec.versions[0].schema.openAPIV3Schema.properties[a].items",
        ),
    ],
)
def test_a_definition_must_be_structural(problems, spec, field):
    meta = {"name": "widgets.example.test"}
    found = problems("apiextensions.k8s.io/v1", "CustomResourceDefinition", metadata=meta, spec=definition(**spec))
    assert field in [each for _, each in found]


def test_a_good_definition_is_valid_and_its_group_stays(problems, stored):
    meta = {"name": "widgets.example.test"}
    kind = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    assert problems(*kind, metadata=meta, spec=definition()) == []
    old = stored(*kind, metadata=meta, spec=definition(scope="Cluster"))
    assert problems(*kind, old, metadata=meta, spec=definition()) == [("FieldValueInvalid", "spec.scope")]
