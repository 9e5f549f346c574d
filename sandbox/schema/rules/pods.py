"""Pods and the templates of pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.schema import quantity
from sandbox.schema.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import metadata, names

RESTARTS = ("Always", "OnFailure", "Never")
PULLS = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
PORTS = range(1, 65536)
NOT_NEGATIVE = "must be greater than or equal to 0"
BAD_PORT = "must be between 1 and 65535, inclusive"


def pod(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    """A pod."""
    yield from spec(obj.get("spec") or {}, "spec")


def template(found: Obj | None, path: str, *, claims: Iterable[str | None] = ()) -> Iterator[FieldError]:
    """A pod template. `claims` are volumes that every pod gets besides those in its spec."""
    found = found or {}
    meta = found.get("metadata") or {}
    yield from metadata.label_map(meta.get("labels"), f"{path}.metadata.labels")
    yield from metadata.annotation_map(meta.get("annotations"), f"{path}.metadata.annotations")
    yield from spec(found.get("spec") or {}, f"{path}.spec", claims=claims)


def spec(found: Obj, path: str, *, claims: Iterable[str | None] = ()) -> Iterator[FieldError]:
    """A pod's spec, in a pod or in a template."""
    volumes = list(_volumes(found.get("volumes") or (), f"{path}.volumes"))
    yield from volumes
    known = {volume.get("name") for volume in found.get("volumes") or ()} | set(claims)
    if not found.get("containers"):
        yield required(f"{path}.containers")
    yield from _containers(found, path, known)
    yield from _choice(found, "restartPolicy", RESTARTS, path)
    yield from _choice(found, "dnsPolicy", DNS, path)
    for name in ("terminationGracePeriodSeconds", "activeDeadlineSeconds"):
        if found.get(name, 0) < 0:
            yield invalid(f"{path}.{name}", found[name], NOT_NEGATIVE)
    yield from metadata.label_map(found.get("nodeSelector"), f"{path}.nodeSelector")
    account = found.get("serviceAccountName")
    if account:
        yield from (invalid(f"{path}.serviceAccountName", account, text) for text in names.subdomain(account))


def _choice(found: Obj, name: str, known: Iterable[str], path: str) -> Iterator[FieldError]:
    if name in found and found[name] not in known:
        yield not_supported(f"{path}.{name}", found[name], known)


def _volumes(volumes: Iterable[Obj], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        here, name = f"{path}[{index}]", volume.get("name", "")
        if not name:
            yield required(f"{here}.name")
        elif name in seen:
            yield duplicate(f"{here}.name", name)
        yield from (invalid(f"{here}.name", name, text) for text in names.label_1123(name) if name)
        seen.add(name)
        if len([key for key in volume if key != "name"]) > 1:
            yield forbidden(here, "may not specify more than 1 volume type")


def _containers(found: Obj, path: str, volumes: set[Any]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(found.get(group) or ()):
            here = f"{path}.{group}[{index}]"
            name = container.get("name", "")
            if not name:
                yield required(f"{here}.name")
            elif name in seen:
                yield duplicate(f"{here}.name", name)
            else:
                yield from (invalid(f"{here}.name", name, text) for text in names.label_1123(name))
            seen.add(name)
            yield from _container(container, here, volumes)


def _container(container: Obj, path: str, volumes: set[Any]) -> Iterator[FieldError]:
    image = container.get("image", "")
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from _choice(container, "imagePullPolicy", PULLS, path)
    yield from _ports(container.get("ports") or (), f"{path}.ports")
    yield from _environment(container.get("env") or (), f"{path}.env")
    yield from _mounts(container.get("volumeMounts") or (), f"{path}.volumeMounts", volumes)
    yield from _resources(container.get("resources") or {}, f"{path}.resources")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            yield from _probe(container[name], f"{path}.{name}")
            if name != "readinessProbe" and container[name].get("successThreshold", 1) != 1:
                yield invalid(f"{path}.{name}.successThreshold", container[name]["successThreshold"], "must be 1")


def _ports(ports: Iterable[Obj], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here, name = f"{path}[{index}]", port.get("name")
        if name:
            yield from (invalid(f"{here}.name", name, text) for text in names.port_name(name))
            if name in seen:
                yield duplicate(f"{here}.name", name)
            seen.add(name)
        if not port.get("containerPort"):
            yield required(f"{here}.containerPort")
        elif port["containerPort"] not in PORTS:
            yield invalid(f"{here}.containerPort", port["containerPort"], BAD_PORT)
        if port.get("hostPort", 1) not in PORTS:
            yield invalid(f"{here}.hostPort", port["hostPort"], BAD_PORT)
        yield from _choice(port, "protocol", PROTOCOLS, here)


def _environment(variables: Iterable[Obj], path: str) -> Iterator[FieldError]:
    for index, variable in enumerate(variables):
        here, name = f"{path}[{index}]", variable.get("name", "")
        if not name:
            yield required(f"{here}.name")
        elif not names.ENV_NAME.fullmatch(name):
            yield invalid(
                f"{here}.name",
                name,
                "a valid environment variable name must consist only of printable ASCII characters",
            )
        source = variable.get("valueFrom")
        if source is None:
            continue
        if not source:
            yield invalid(
                f"{here}.valueFrom",
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            )
        elif variable.get("value"):
            yield invalid(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")
        elif len(source) > 1:
            yield invalid(f"{here}.valueFrom", "", "may not have more than one field specified at a time")


def _mounts(mounts: Iterable[Obj], path: str, volumes: set[Any]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        here, where = f"{path}[{index}]", mount.get("mountPath", "")
        if not mount.get("name"):
            yield required(f"{here}.name")
        elif mount["name"] not in volumes:
            yield not_found(f"{here}.name", mount["name"])
        if not where:
            yield required(f"{here}.mountPath")
        elif where in seen:
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
    handlers = [name for name in HANDLERS if name in probe]
    if not handlers:
        yield required(path, "must specify a handler type")
    for extra in handlers[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(name, 0) < 0:
            yield invalid(f"{path}.{name}", probe[name], NOT_NEGATIVE)
    for handler in ("httpGet", "tcpSocket"):
        port = (probe.get(handler) or {}).get("port", 0)
        if handler in probe and isinstance(port, int) and port not in PORTS:
            yield invalid(f"{path}.{handler}.port", port, BAD_PORT)
