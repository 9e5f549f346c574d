"""Namespaces, roles, definitions, webhooks, storage and priority classes."""

from __future__ import annotations

from typing import Any

from sandbox.schema.node import Obj

RBAC = "rbac.authorization.k8s.io"
NAME_LABEL = "kubernetes.io/metadata.name"
WEBHOOK: dict[str, Any] = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}
CONSTANTS: dict[str, dict[str, Any]] = {
    "ValidatingWebhook": WEBHOOK,
    "MutatingWebhook": {**WEBHOOK, "reinvocationPolicy": "Never"},
    "RuleWithOperations": {"scope": "*"},
    "NamedRuleWithOperations": {"scope": "*"},
    "ServiceReference": {"port": 443},
    "ValidatingAdmissionPolicySpec": {"failurePolicy": "Fail"},
    "MatchResources": {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}},
    "NamespaceStatus": {"phase": "Active"},
    "StorageClass": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "PriorityClass": {"preemptionPolicy": "PreemptLowerPriority"},
    "IngressClassParametersReference": {"scope": "Cluster"},
    "CustomResourceDefinitionSpec": {"conversion": {"strategy": "None"}},
}


def _name_label(namespace: Obj) -> None:
    """The label that carries the namespace's own name; it comes back however often it is taken away."""
    meta = namespace.setdefault("metadata", {})
    if meta.get("name"):
        meta["labels"] = {**meta.get("labels", {}), NAME_LABEL: meta["name"]}


def _role(role: Obj) -> None:
    """No rules are null, sent or not."""
    role["rules"] = role.get("rules") or None


def _role_binding(binding: Obj) -> None:
    role = binding.get("roleRef")
    if role is not None and not role.get("apiGroup"):
        role["apiGroup"] = RBAC
    for subject in binding.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", RBAC)


def _names(definition: Obj) -> None:
    names = definition.get("spec", {}).get("names")
    kind = (names or {}).get("kind")
    if kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")


def _limits(item: Obj) -> None:
    """A container's default limit is its maximum; its default request is that limit, or else its minimum."""
    if item.get("type") == "Container":
        default = {**item.get("max", {}), **item.get("default", {})}
        request = {**item.get("min", {}), **default, **item.get("defaultRequest", {})}
        item.update({key: value for key, value in (("default", default), ("defaultRequest", request)) if value})


RULES = {
    "Role": _role,
    "ClusterRole": _role,
    "LimitRangeItem": _limits,
    "Namespace": _name_label,
    "RoleBinding": _role_binding,
    "ClusterRoleBinding": _role_binding,
}
AFTER = {"CustomResourceDefinition": _names}
