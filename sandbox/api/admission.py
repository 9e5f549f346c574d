"""Admission webhooks: which are asked about a request, how, and what their answers do.

Mutating ones are asked first, one after another, in the order of their configurations' names; each sees what the one
before made. Validating ones see the final object. What a mutating webhook changes belongs to no field manager.
`matchConditions` are not evaluated (no CEL here): a webhook that has some is asked whenever its rules match.
"""

import asyncio
import base64
import binascii
import json
import ssl
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox import selectors
from sandbox.api import conversion
from sandbox.api.calls import Call
from sandbox.api.errors import ApiError, internal
from sandbox.api.selectors import LabelTest
from sandbox.network import Network, NetworkError
from sandbox.patch import json_patch
from sandbox.patch.errors import PatchError

if TYPE_CHECKING:
    from sandbox.api.server import Server
    from sandbox.api.writing import Target

Obj = dict[str, Any]
GROUP = "admissionregistration.k8s.io"
_EXEMPT = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})


class Hook(NamedTuple):
    """One webhook of a configuration, with its selectors compiled."""

    config: Obj
    namespaces: LabelTest
    objects: LabelTest

    @property
    def name(self) -> str:
        return str(self.config["name"])


class Admission:
    """Asks webhooks. `outage` (a fault) makes every call fail as if nobody listened."""

    def __init__(self, server: "Server", network: Network) -> None:
        self._server, self._network = server, network
        self._compiled: dict[str, tuple[str, list[Hook]]] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.outage = False

    async def mutate(self, call: Call, target: "Target", obj: Obj, old: Obj | None) -> Obj:
        """Return the object as mutating webhooks want it; the same one when none changed it."""
        for hook in self._asked("mutatingwebhookconfigurations", target, obj, old):
            answer = await self._ask(hook, call, target, obj, old)
            if answer.get("patch"):
                obj = _patched(hook, obj, answer["patch"])
        return obj

    async def validate(self, call: Call, target: "Target", obj: Obj | None, old: Obj | None) -> None:
        """Ask validating webhooks; `obj` None is a deletion. Raises the first refusal."""
        hooks = list(self._asked("validatingwebhookconfigurations", target, obj, old))
        if hooks:
            await asyncio.gather(*(self._ask(hook, call, target, obj, old) for hook in hooks))

    def _asked(self, plural: str, target: "Target", obj: Obj | None, old: Obj | None) -> Iterator[Hook]:
        shelf = self._server.store.shelf((GROUP, plural))
        if not shelf.records or (target.resource.group == GROUP and target.resource.kind in _EXEMPT):
            return
        operation = "DELETE" if obj is None else "CREATE" if old is None else "UPDATE"
        for key in list(shelf.ordered()):
            for hook in self._hooks(plural, shelf.records[key].obj):
                if _ruled(hook.config, target, operation) and self._selected(hook, target, obj, old):
                    yield hook

    def _hooks(self, plural: str, configuration: Obj) -> list[Hook]:
        metadata = configuration["metadata"]
        found = self._compiled.get(f"{plural}/{metadata['name']}")
        if found is None or found[0] != metadata["resourceVersion"]:
            made = [
                Hook(
                    config,
                    partial(selectors.matches, config.get("namespaceSelector") or {}),
                    partial(selectors.matches, config.get("objectSelector") or {}),
                )
                for config in configuration.get("webhooks") or []
            ]
            found = self._compiled[f"{plural}/{metadata['name']}"] = (metadata["resourceVersion"], made)
        return found[1]

    def _selected(self, hook: Hook, target: "Target", obj: Obj | None, old: Obj | None) -> bool:
        if not any(hook.objects(_labels(one)) for one in (obj, old) if one is not None):
            return False
        if target.resource.kind == "Namespace" and not target.resource.group:
            return hook.namespaces(_labels(obj if obj is not None else old or {}))
        if target.namespace is None:
            return True
        record = self._server.store.get(("", "namespaces"), None, target.namespace)
        return hook.namespaces(_labels(record.obj) if record else {})

    async def _ask(self, hook: Hook, call: Call, target: "Target", obj: Obj | None, old: Obj | None) -> Obj:
        """Return the response of one webhook that allows; {} when its failure is ignored. Raises its refusal."""
        if call.dry_run and hook.config.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise ApiError(400, "BadRequest", f'admission webhook "{hook.name}" does not support dry run')
        request = _request(hook, call, target, obj, old)
        try:
            response = await self._post(hook, request)
        except NetworkError as error:
            if hook.config.get("failurePolicy") == "Ignore":
                return {}
            raise internal(f'failed calling webhook "{hook.name}": failed to call webhook: {error}') from error
        call.warnings += response.get("warnings") or []
        if not response.get("allowed"):
            raise _denial(hook, response.get("status") or {})
        return response

    async def _post(self, hook: Hook, request: Obj) -> Obj:
        """Return `response` of the review. Raises NetworkError, worded as a Go client would."""
        seconds = hook.config.get("timeoutSeconds") or 10
        config = hook.config["clientConfig"]
        url = f"{_url(config)}?timeout={seconds}s"
        review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
        if self.outage:
            raise NetworkError(f'Post "{url}": dial tcp: connect: connection refused')
        try:
            answer = await self._network.request(
                "POST", url, json=review, timeout=float(seconds), verify=self._trust(config.get("caBundle") or "")
            )
        except NetworkError as error:
            raise NetworkError(f'Post "{url}": {error}') from error
        try:
            found = answer.json() if answer.status_code < 300 else None
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
            raise NetworkError(f"the server answered {answer.status_code} with no admission review")
        if found["response"].get("uid") != request["uid"]:
            raise NetworkError("the response has another uid than the request")
        response: Obj = found["response"]
        return response

    def _trust(self, bundle: str) -> ssl.SSLContext:
        """Return the TLS context that trusts a caBundle alone (the system's roots without one)."""
        if bundle not in self._contexts:
            try:
                pem = base64.b64decode(bundle).decode() if bundle else None
                self._contexts[bundle] = ssl.create_default_context(cadata=pem)
            except (binascii.Error, UnicodeDecodeError, ssl.SSLError) as error:
                raise NetworkError(f"unable to load root certificates: {error}") from error
        return self._contexts[bundle]


def _url(config: Obj) -> str:
    if config.get("url"):
        return str(config["url"])
    service = config["service"]
    path = (service.get("path") or "/").lstrip("/")
    return f"https://{service['name']}.{service['namespace']}.svc:{service.get('port') or 443}/{path}"


def _labels(obj: Obj) -> Mapping[str, str]:
    return obj.get("metadata", {}).get("labels") or {}


def _ruled(config: Obj, target: "Target", operation: str) -> bool:
    resource = target.resource
    path = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    for rule in config.get("rules") or []:
        scope = rule.get("scope") or "*"
        if (
            _any(rule.get("operations"), operation)
            and _any(rule.get("apiGroups"), resource.group)
            and (config.get("matchPolicy") != "Exact" or _any(rule.get("apiVersions"), resource.version))
            and (scope == "*" or (scope == "Namespaced") == resource.namespaced)
            and any(_covers(pattern, path) for pattern in rule.get("resources") or [])
        ):
            return True
    return False


def _any(listed: list[str] | None, value: str) -> bool:
    return any(entry in ("*", value) for entry in listed or [])


def _covers(pattern: str, path: str) -> bool:
    if pattern == "*":
        return "/" not in path
    if pattern == "*/*":
        return True
    wanted, _, wanted_sub = pattern.partition("/")
    found, _, found_sub = path.partition("/")
    return wanted in ("*", found) and (wanted_sub == found_sub or (wanted_sub == "*" and found_sub != ""))


def _request(hook: Hook, call: Call, target: "Target", obj: Obj | None, old: Obj | None) -> Obj:
    resource = target.resource
    version = _version_for(hook.config, resource.version)
    api_version = f"{resource.group}/{version}" if resource.group else version
    operation = "DELETE" if obj is None else "CREATE" if old is None else "UPDATE"
    names = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}
    gvk = {"group": resource.group, "version": version, "kind": resource.kind}
    gvr = {"group": resource.group, "version": version, "resource": resource.plural}
    request = {
        "uid": str(uuid.uuid4()),
        "kind": gvk,
        "resource": gvr,
        "requestKind": {**gvk, "version": resource.version},
        "requestResource": {**gvr, "version": resource.version},
        "name": target.name,
        "namespace": target.namespace,
        "operation": operation,
        "userInfo": {"username": call.user, "groups": list(call.groups)},
        "object": obj and conversion.convert(obj, api_version),
        "oldObject": old and conversion.convert(old, api_version),
        "dryRun": call.dry_run,
        "options": call.options(names[operation]),
    }
    if target.subresource:
        request["subResource"] = request["requestSubResource"] = target.subresource
    if request["namespace"] is None:
        del request["namespace"]
    return request


def _version_for(config: Obj, version: str) -> str:
    """Return the version that the webhook understands: the request's, where a rule names it."""
    versions = [found for rule in config.get("rules") or [] for found in rule.get("apiVersions") or []]
    if not versions or version in versions or "*" in versions:
        return version
    return str(versions[0])


def _patched(hook: Hook, obj: Obj, encoded: str) -> Obj:
    try:
        operations = json.loads(base64.b64decode(encoded))
        result = json_patch.apply(obj, operations)
    except (binascii.Error, ValueError, PatchError) as error:
        raise internal(f'admission webhook "{hook.name}" sent a patch that does not apply: {error}') from error
    if not isinstance(result, dict):
        raise internal(f'admission webhook "{hook.name}" sent a patch that leaves no object')
    return result


def _denial(hook: Hook, status: Obj) -> ApiError:
    text = f'admission webhook "{hook.name}" denied the request'
    text += f": {status['message']}" if status.get("message") else " without explanation"
    if not status.get("message") and status.get("reason"):
        text = f'admission webhook "{hook.name}" denied the request: {status["reason"]}'
    code = status.get("code") or 400
    return ApiError(code, status.get("reason") or "", text, details=status.get("details"))
