"""Both sorts of webhook configurations."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.schema.errors import FieldError, duplicate, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names
from sandbox.schema.rules.common import selector
from sandbox.schema.rules.containers import BAD_PORT, PORTS

EFFECTS = ("None", "NoneOnDryRun")
POLICIES = ("Fail", "Ignore")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
VERSIONS = ("v1", "v1beta1")
NO_HTTPS = "'https' is the only allowed URL scheme; desired format: https://host[/path]"


def configuration(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or ()):
        here, name = f"webhooks[{index}]", hook.get("name", "")
        yield from _name(name, f"{here}.name")
        yield from _webhook(hook, here)
        yield from _client(hook.get("clientConfig") or {}, f"{here}.clientConfig")
        if name and name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)


def _name(name: str, path: str) -> Iterator[FieldError]:
    if not name:
        yield required(path)
        return
    problems = list(names.subdomain(name))
    yield from (invalid(path, name, text) for text in problems)
    if not problems and len(name.split(".")) < 3:
        yield invalid(path, name, "should be a domain with at least three segments separated by dots")


def _webhook(hook: Obj, path: str) -> Iterator[FieldError]:
    effects, versions = hook.get("sideEffects"), hook.get("admissionReviewVersions") or []
    if effects is None:
        yield required(f"{path}.sideEffects", f"must specify one of {', '.join(EFFECTS)}")
    elif effects not in EFFECTS:
        yield not_supported(f"{path}.sideEffects", effects, EFFECTS)
    if not versions:
        yield required(f"{path}.admissionReviewVersions", f"must specify one of {', '.join(VERSIONS)}")
    for index, version in enumerate(versions):
        here = f"{path}.admissionReviewVersions[{index}]"
        yield from (invalid(here, version, text) for text in names.label_1035(version))
    if versions and not set(VERSIONS) & set(versions):
        text = f"must include at least one of {', '.join(VERSIONS)}"
        yield invalid(f"{path}.admissionReviewVersions", versions, text)
    if hook.get("failurePolicy") not in POLICIES:
        yield not_supported(f"{path}.failurePolicy", hook.get("failurePolicy"), POLICIES)
    if not 1 <= hook.get("timeoutSeconds", 10) <= 30:
        text = "the timeout value must be between 1 and 30 seconds"
        yield invalid(f"{path}.timeoutSeconds", hook["timeoutSeconds"], text)
    for name in ("namespaceSelector", "objectSelector"):
        yield from selector(hook.get(name) or {}, f"{path}.{name}")
    for index, rule in enumerate(hook.get("rules") or ()):
        yield from _rule(rule, f"{path}.rules[{index}]")


def _client(client: Obj, path: str) -> Iterator[FieldError]:
    if ("url" in client) == ("service" in client):
        yield required(path, "exactly one of url or service is required")
    elif "url" in client and not client["url"].startswith("https://"):
        scheme = client["url"].partition("://")[0] if "://" in client["url"] else ""
        yield invalid(f"{path}.url", scheme, NO_HTTPS)
    elif "service" in client:
        yield from _service(client["service"], f"{path}.service")


def _service(service: Obj, path: str) -> Iterator[FieldError]:
    for lacking, told in (("name", "namespace"), ("namespace", "name")):  # the API server mixes the two up
        if not service.get(lacking):
            yield required(f"{path}.{told}")
    port, where = service.get("port", 443), service.get("path")
    if port not in PORTS:
        yield invalid(f"{path}.port", port, f"port is not valid: {BAD_PORT}")
    if where and not where.startswith("/"):
        yield invalid(f"{path}.path", where, "must start with a '/'")


def _rule(rule: Obj, path: str) -> Iterator[FieldError]:
    for name in ("operations", "apiVersions", "apiGroups", "resources"):
        if not rule.get(name):
            yield required(f"{path}.{name}")
    for name in ("apiVersions", "resources"):
        yield from (required(f"{path}.{name}[{i}]") for i, value in enumerate(rule.get(name) or ()) if not value)
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in OPERATIONS:
            yield not_supported(f"{path}.operations[{index}]", operation, OPERATIONS)
