"""Pods and the templates of pods: volumes and everything that is not inside a container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from sandbox.schema.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from sandbox.schema.node import Obj
from sandbox.schema.rules import containers, metadata, names, scheduling
from sandbox.schema.rules.common import NOT_NEGATIVE

RESTARTS = ("Always", "OnFailure", "Never")
DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
NEEDED = {"hostPath": "path", "configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName"}
"""What a source of a volume cannot do without."""

NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def pod(obj: Obj, old: Obj | None) -> Iterator[FieldError]:
    """A pod."""
    yield from spec(obj.get("spec") or {}, "spec")


def template(found: Obj | None, path: str, *, claims: Iterable[str | None] = ()) -> Iterator[FieldError]:
    """A pod template. `claims` are volumes that every pod gets besides those in its spec.

    Its labels and annotations are found at `template.labels`, without metadata; the API server has it so.
    """
    found = found or {}
    meta = found.get("metadata") or {}
    yield from metadata.label_map(meta.get("labels"), f"{path}.labels")
    yield from metadata.annotation_map(meta.get("annotations"), f"{path}.annotations")
    yield from spec(found.get("spec") or {}, f"{path}.spec", claims=claims)


def spec(found: Obj, path: str, *, claims: Iterable[str | None] = ()) -> Iterator[FieldError]:
    """A pod's spec, in a pod or in a template."""
    known: set[str | None] = set()
    yield from _volumes(found.get("volumes") or (), f"{path}.volumes", known)
    known.update(claims)
    yield from containers.all_of(found, path, volumes=known)
    yield from containers.choice(found, "restartPolicy", RESTARTS, path)
    yield from containers.choice(found, "dnsPolicy", DNS, path)
    for name in ("terminationGracePeriodSeconds", "activeDeadlineSeconds"):
        if found.get(name, 0) < 0:
            yield invalid(f"{path}.{name}", found[name], NOT_NEGATIVE)
    yield from metadata.label_map(found.get("nodeSelector"), f"{path}.nodeSelector")
    account = found.get("serviceAccountName")
    if account:
        yield from (invalid(f"{path}.serviceAccountName", account, text) for text in names.subdomain(account))
    yield from scheduling.check(found, path)
    yield from _host_aliases(found.get("hostAliases") or (), f"{path}.hostAliases")


def _volumes(volumes: Iterable[Obj], path: str, known: set[str | None]) -> Iterator[FieldError]:
    """Errors of volumes; those without any are added to `known`, and only they can be mounted."""
    for index, volume in enumerate(volumes):
        name = volume.get("name", "")
        problems = [*_volume_name(name, f"{path}[{index}].name", known), *_volume_source(volume, f"{path}[{index}]")]
        yield from problems
        if not problems:
            known.add(name)


def _volume_name(name: str, path: str, known: set[str | None]) -> Iterator[FieldError]:
    if not name:
        yield required(path)
    else:
        yield from (invalid(path, name, text) for text in names.label_1123(name))
    if name in known:
        yield duplicate(path, name)


def _volume_source(volume: Obj, path: str) -> Iterator[FieldError]:
    sources = [source for source in volume if source != "name"]
    yield from (forbidden(f"{path}.{extra}", "may not specify more than 1 volume type") for extra in sources[1:])
    for source in sources[:1]:
        if source in NEEDED and not volume[source].get(NEEDED[source]):
            yield required(f"{path}.{source}.{NEEDED[source]}")


def _host_aliases(aliases: Iterable[Obj], path: str) -> Iterator[FieldError]:
    for index, alias in enumerate(aliases):
        here, address = f"{path}[{index}]", alias.get("ip", "")
        try:
            ip_address(address)
        except ValueError:
            yield invalid(f"{here}.ip", address, NO_ADDRESS)
        for number, name in enumerate(alias.get("hostnames") or ()):
            yield from (invalid(f"{here}.hostnames[{number}]", name, text) for text in names.subdomain(name))


def restart_policy(found: Obj | None, path: str, known: tuple[str, ...]) -> Iterator[FieldError]:
    """A workload's demand on its template: one of some restart policies. What is no policy at all is told elsewhere."""
    policy = ((found or {}).get("spec") or {}).get("restartPolicy")
    if policy in RESTARTS and policy not in known:
        yield not_supported(f"{path}.spec.restartPolicy", policy, known)
