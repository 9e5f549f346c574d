"""Containers: ports, environment, mounts, resources, probes and hooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.schema import quantity
from sandbox.schema.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import names
from sandbox.schema.rules.common import NOT_NEGATIVE

PULLS = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
SCHEMES = ("HTTP", "HTTPS")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
PORTS = range(1, 65536)
BAD_PORT = "must be between 1 and 65535, inclusive"
NO_HOOKS = "may not be set for init containers without restartPolicy=Always"
SOURCES = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
FIELDS = frozenset(
    [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.labels",
        "metadata.annotations",
        "spec.nodeName",
        "spec.serviceAccountName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ]
)
SUBSCRIPT = re.compile(r"\['.*'\]$")


def all_of(found: Obj, path: str, *, volumes: set[Any]) -> Iterator[FieldError]:
    """The containers of a pod's spec. `volumes` are the names that may be mounted."""
    if not found.get("containers"):
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for group in ("containers", "initContainers"):
        for index, container in enumerate(found.get(group) or ()):
            here, name = f"{path}.{group}[{index}]", container.get("name", "")
            yield from _named(name, f"{here}.name", seen)
            if name or group == "containers":
                seen.add(name)
            yield from _container(container, here, volumes)
            if group == "containers" or container.get("restartPolicy") == "Always":
                yield from _hooks(container, here)
            else:
                hooks = [hook for hook in ("lifecycle", *PROBES) if hook in container]
                yield from (forbidden(f"{here}.{hook}", NO_HOOKS) for hook in hooks)


def choice(found: Obj, name: str, known: Iterable[str], path: str) -> Iterator[FieldError]:
    """A field that, where it is there, has one of some values."""
    if name in found and found[name] not in known:
        yield not_supported(f"{path}.{name}", found[name], known)


def _named(name: str, path: str, seen: set[str]) -> Iterator[FieldError]:
    if not name:
        yield required(path)
    else:
        yield from (invalid(path, name, text) for text in names.label_1123(name))
    if name in seen:
        yield duplicate(path, name)


def _container(container: Obj, path: str, volumes: set[Any]) -> Iterator[FieldError]:
    image = container.get("image", "")
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from choice(container, "imagePullPolicy", PULLS, path)
    yield from _ports(container.get("ports") or (), f"{path}.ports")
    yield from _environment(container.get("env") or (), f"{path}.env")
    yield from _mounts(container.get("volumeMounts") or (), f"{path}.volumeMounts", volumes)
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _hooks(container: Obj, path: str) -> Iterator[FieldError]:
    for name, hook in (container.get("lifecycle") or {}).items():
        if isinstance(hook, dict):
            yield from _handler(hook, f"{path}.lifecycle.{name}")
    for name in PROBES:
        if name in container:
            yield from _probe(container[name], f"{path}.{name}")
            if name != "readinessProbe" and container[name].get("successThreshold", 1) != 1:
                yield invalid(f"{path}.{name}.successThreshold", container[name]["successThreshold"], "must be 1")


def _ports(ports: Iterable[Obj], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here, name = f"{path}[{index}]", port.get("name")
        if name:
            problems = list(names.port_name(name))
            yield from (invalid(f"{here}.name", name, text) for text in problems)
            if name in seen and not problems:
                yield duplicate(f"{here}.name", name)
            seen.add(name)
        if not port.get("containerPort"):
            yield required(f"{here}.containerPort")
        elif port["containerPort"] not in PORTS:
            yield invalid(f"{here}.containerPort", port["containerPort"], BAD_PORT)
        if "hostPort" in port and port["hostPort"] is not None and port["hostPort"] not in PORTS:
            yield invalid(f"{here}.hostPort", port["hostPort"], BAD_PORT)
        yield from choice(port, "protocol", PROTOCOLS, here)


def _environment(variables: Iterable[Obj], path: str) -> Iterator[FieldError]:
    for index, variable in enumerate(variables):
        here, name = f"{path}[{index}]", variable.get("name", "")
        if not name:
            yield required(f"{here}.name")
        elif not names.ENV_NAME.fullmatch(name):
            text = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            yield invalid(f"{here}.name", name, text)
        if "valueFrom" in variable:
            yield from _source(variable, f"{here}.valueFrom")


def _source(variable: Obj, path: str) -> Iterator[FieldError]:
    source = variable["valueFrom"]
    if variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif not source:
        yield invalid(path, "", SOURCES)
    elif len(source) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")
    if "fieldRef" in source:
        yield from _field_reference(source["fieldRef"].get("fieldPath", ""), f"{path}.fieldRef.fieldPath")
    for name in ("configMapKeyRef", "secretKeyRef"):
        if name in source and not source[name].get("key"):
            yield required(f"{path}.{name}.key")


def _field_reference(found: str, path: str) -> Iterator[FieldError]:
    if not found:
        yield required(path)
    elif SUBSCRIPT.sub("", found) not in FIELDS:
        yield invalid(path, found, f"error converting fieldPath: field label not supported: {found}")


def _mounts(mounts: Iterable[Obj], path: str, volumes: set[Any]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        here, name, where = f"{path}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{here}.name")
        if name not in volumes:
            yield not_found(f"{here}.name", name)
        if not where:
            yield required(f"{here}.mountPath")
        if where in seen:
            yield invalid(f"{here}.mountPath", where, "must be unique")
        seen.add(where)


def _resources(resources: Obj, path: str) -> Iterator[FieldError]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if quantity.value(amount) < 0:
                yield invalid(f"{path}.{group}[{name}]", amount, NOT_NEGATIVE)
    for name, amount in requests.items():
        if name in limits and quantity.value(amount) > quantity.value(limits[name]):
            yield invalid(f"{path}.requests", amount, f"must be less than or equal to {name} limit of {limits[name]}")


def _probe(probe: Obj, path: str) -> Iterator[FieldError]:
    yield from _handler(probe, path)
    for name in PROBE_NUMBERS:
        if probe.get(name, 0) < 0:
            yield invalid(f"{path}.{name}", probe[name], NOT_NEGATIVE)


def _handler(handler: Obj, path: str) -> Iterator[FieldError]:
    kinds = [name for name in HANDLERS if name in handler]
    if not kinds:
        yield required(path, "must specify a handler type")
        return
    kind, *more = kinds
    yield from (forbidden(f"{path}.{extra}", "may not specify more than 1 handler type") for extra in more)
    if kind == "exec" and not handler["exec"].get("command"):
        yield required(f"{path}.exec.command")
    if kind in ("httpGet", "tcpSocket", "grpc"):
        yield from _handler_port(handler[kind].get("port", 0), f"{path}.{kind}.port")
    if kind == "httpGet":
        yield from choice(handler[kind], "scheme", SCHEMES, f"{path}.{kind}")


def _handler_port(port: Any, path: str) -> Iterator[FieldError]:
    if isinstance(port, str):
        yield from (invalid(path, port, text) for text in names.port_name(port))
    elif port not in PORTS:
        yield invalid(path, port, BAD_PORT)
