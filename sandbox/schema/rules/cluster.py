"""Roles and bindings, webhook configurations, storage and priority classes."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.schema.errors import FieldError, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names
from sandbox.schema.rules.workloads import selector

SUBJECTS = ("User", "Group", "ServiceAccount")
ROLES = ("Role", "ClusterRole")
EFFECTS = ("None", "NoneOnDryRun")
POLICIES = ("Fail", "Ignore")
OPERATIONS = ("*", "CREATE", "UPDATE", "DELETE", "CONNECT")


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
    reference = obj.get("roleRef") or {}
    known = ROLES if obj.get("kind") == "RoleBinding" else ROLES[1:]
    if reference.get("kind") not in known:
        yield not_supported("roleRef.kind", reference.get("kind", ""), known)
    if not reference.get("name"):
        yield required("roleRef.name")
    for index, subject in enumerate(obj.get("subjects") or ()):
        here = f"subjects[{index}]"
        if not subject.get("name"):
            yield required(f"{here}.name")
        if subject.get("kind") not in SUBJECTS:
            yield not_supported(f"{here}.kind", subject.get("kind", ""), SUBJECTS)
        elif subject["kind"] == "ServiceAccount" and not subject.get("namespace") and obj.get("kind") != "RoleBinding":
            yield required(f"{here}.namespace")  # in a RoleBinding, its own namespace is meant


def webhooks(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    """Both sorts of webhook configurations."""
    seen: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or ()):
        here, name = f"webhooks[{index}]", hook.get("name", "")
        if name in seen:
            yield invalid(f"{here}.name", name, "must be unique")
        seen.add(name)
        yield from _hook_name(name, f"{here}.name")
        yield from _webhook(hook, here)


def _hook_name(name: str, path: str) -> Iterator[FieldError]:
    if not name:
        yield required(path)
        return
    yield from (invalid(path, name, text) for text in names.subdomain(name))
    if len(name.split(".")) < 3:
        yield invalid(path, name, "should be a domain with at least three segments separated by dots")


def _webhook(hook: Obj, path: str) -> Iterator[FieldError]:
    effects, client = hook.get("sideEffects"), hook.get("clientConfig") or {}
    if effects is None:
        yield required(f"{path}.sideEffects", f"must specify one of {', '.join(EFFECTS)}")
    elif effects not in EFFECTS:
        yield not_supported(f"{path}.sideEffects", effects, EFFECTS)
    if not hook.get("admissionReviewVersions"):
        yield required(f"{path}.admissionReviewVersions", "must specify one of v1, v1beta1")
    elif not {"v1", "v1beta1"} & set(hook["admissionReviewVersions"]):
        versions = hook["admissionReviewVersions"]
        yield invalid(f"{path}.admissionReviewVersions", versions, "must include at least one of v1, v1beta1")
    if hook.get("failurePolicy") not in POLICIES:
        yield not_supported(f"{path}.failurePolicy", hook.get("failurePolicy"), POLICIES)
    if not 1 <= hook.get("timeoutSeconds", 10) <= 30:
        yield invalid(
            f"{path}.timeoutSeconds", hook["timeoutSeconds"], "the timeout value must be between 1 and 30 seconds"
        )
    if ("url" in client) == ("service" in client):
        yield required(f"{path}.clientConfig", "exactly one of url or service is required")
    elif "url" in client and not client["url"].startswith("https://"):
        yield invalid(
            f"{path}.clientConfig.url",
            client["url"],
            "'https' is the only allowed URL scheme; desired format: https://host[/path]",
        )
    for name in ("namespaceSelector", "objectSelector"):
        yield from selector(hook.get(name) or {}, f"{path}.{name}")
    for index, rule in enumerate(hook.get("rules") or ()):
        yield from _rule(rule, f"{path}.rules[{index}]")


def _rule(rule: Obj, path: str) -> Iterator[FieldError]:
    for name in ("operations", "apiVersions", "apiGroups", "resources"):
        if not rule.get(name):
            yield required(f"{path}.{name}")
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in OPERATIONS:
            yield not_supported(f"{path}.operations[{index}]", operation, OPERATIONS)


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
