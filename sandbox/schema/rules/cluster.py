"""Roles and bindings, storage and priority classes."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.schema.errors import FieldError, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names

RBAC = "rbac.authorization.k8s.io"
SUBJECTS = ("ServiceAccount", "User", "Group")
ROLES = ("Role", "ClusterRole")


def role(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    for index, rule in enumerate(obj.get("rules") or ()):
        here = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{here}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield required(f"{here}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{here}.resources", "resource rules must supply at least one resource")


def role_binding(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    reference, namespaced = obj.get("roleRef") or {}, obj.get("kind") == "RoleBinding"
    known = ROLES if namespaced else ROLES[1:]
    if reference.get("apiGroup", RBAC) != RBAC:
        yield not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (RBAC,))
    if reference.get("kind") not in known:
        yield not_supported("roleRef.kind", reference.get("kind", ""), known)
    if not reference.get("name"):
        yield required("roleRef.name")
    for index, subject in enumerate(obj.get("subjects") or ()):
        yield from _subject(subject, f"subjects[{index}]", namespaced=namespaced)


def _subject(subject: Obj, path: str, *, namespaced: bool) -> Iterator[FieldError]:
    name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
    if not name:
        yield required(f"{path}.name")
    if kind not in SUBJECTS:
        yield not_supported(f"{path}.kind", kind, SUBJECTS)
    elif kind == "ServiceAccount":
        if name:
            yield from (invalid(f"{path}.name", name, text) for text in names.subdomain(name))
        if group:
            yield not_supported(f"{path}.apiGroup", group, ("",))
        if not namespaced and not subject.get("namespace"):  # a RoleBinding means its own namespace
            yield required(f"{path}.namespace")
    elif group != RBAC:
        yield not_supported(f"{path}.apiGroup", group, (RBAC,))


def storage_class(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    if not obj.get("provisioner"):
        yield required("provisioner")
    if old is None:
        return
    for name in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"):
        if obj.get(name) != old.get(name):
            yield forbidden(name, f"updates to {name} are forbidden.")


def priority_class(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    if old is not None and obj.get("value") != old.get("value"):
        yield forbidden("value", "may not be changed in an update.")
