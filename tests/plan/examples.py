"""Objects that the tests of plan are about."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]


def deployment(**spec: Any) -> Obj:
    """A Deployment as somebody would write it, a quantity and an empty value in other than stored form."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "istio.io/rev": "1-30"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "main",
                            "image": "web:1",
                            "args": ["--port", "8080"],
                            "ports": [{"containerPort": 8080}],
                            "env": [{"name": "EMPTY", "value": ""}, {"name": "MODE", "value": "fast"}],
                            "resources": {"requests": {"cpu": "1000m", "memory": "1Gi"}},
                        },
                        {"name": "side", "image": "side:1"},
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                },
            },
            **spec,
        },
    }


def service(**spec: Any) -> Obj:
    """A Service whose ports leave the protocol to its default."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "selector": {"app": "web"},
            "ports": [
                {"name": "http", "port": 80, "targetPort": 8080},
                {"name": "admin", "port": 81, "targetPort": "admin"},
            ],
            **spec,
        },
    }


def secret(**data: str) -> Obj:
    """A Secret with plain values."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": "shop"},
        "type": "Opaque",
        "stringData": data,
    }


def webhook(**fields: Any) -> Obj:
    """An admission webhook without its server's certificate."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "injector"},
        "webhooks": [
            {
                "name": "a.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system", "path": "/inject"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                **fields,
            }
        ],
    }


def canary() -> Obj:
    """A Flagger Canary: a custom resource, whose lists are atomic."""
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "service": {"port": 80, "targetPort": 8080},
            "analysis": {
                "interval": "10s",
                "threshold": 5,
                "metrics": [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}],
            },
        },
    }


def autoscaler() -> Obj:
    """An autoscaler of the Deployment."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 5,
        },
    }
