"""What a caller wants beside the object: who they are, and the options of the request.

Query parameters are checked here, for all verbs, in the words of the `…Options` kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.api.errors import bad_request, invalid_options
from sandbox.schema.errors import FieldError, Reason

Obj = dict[str, Any]
Query = Mapping[str, str]

ADMIN = "kubernetes-admin"
PROPAGATION = ("Orphan", "Background", "Foreground")
VALIDATION = ("Ignore", "Warn", "Strict")


@dataclass(slots=True)
class Call:
    """One write request. `warnings` collects what the answer's Warning headers say."""

    user: str = ADMIN
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")
    manager: str = "unknown"
    dry_run: bool = False
    field_validation: str = "Warn"
    force: bool = False
    warnings: list[str] = field(default_factory=list)

    def options(self, kind: str) -> Obj:
        """Return the options object that an admission review carries."""
        found: Obj = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
        if self.dry_run:
            found["dryRun"] = ["All"]
        if kind != "DeleteOptions":
            found["fieldManager"] = self.manager
            found["fieldValidation"] = self.field_validation
        return found


@dataclass(slots=True)
class Deletion:
    """DeleteOptions, from the body or the query."""

    propagation: str | None = None
    grace: int | None = None
    uid: str | None = None
    resource_version: str | None = None


def unsupported(value: str, choices: tuple[str, ...]) -> str:
    known = ", ".join(f'"{choice}"' for choice in choices)
    return f'Unsupported value: "{value}": supported values: {known}'


def write_call(
    query: Query, *, user: str, groups: tuple[str, ...], agent: str, kind: str, apply: bool = False, patch: bool = False
) -> Call:
    """Return the Call of a POST, PUT or PATCH; raises 422 about the options (`kind`: CreateOptions, …)."""
    causes = [*_dry_run(query)]
    validation = query.get("fieldValidation") or "Warn"
    if validation not in VALIDATION:
        causes.append(FieldError(Reason.NOT_SUPPORTED, "fieldValidation", unsupported(validation, VALIDATION)))
    manager = query.get("fieldManager", "")
    if apply and not manager:
        causes.append(FieldError(Reason.REQUIRED, "fieldManager", "Required value: is required for apply patch"))
    if len(manager) > 128:
        causes.append(FieldError(Reason.TOO_LONG, "fieldManager", "Too long: may not be more than 128 bytes"))
    if patch and not apply and "force" in query:
        causes.append(FieldError(Reason.FORBIDDEN, "force", "Forbidden: may not be specified for non-apply patch"))
    if causes:
        raise invalid_options(kind, causes)
    return Call(
        user=user,
        groups=groups,
        manager=manager or product(agent),
        dry_run=bool(query.get("dryRun")),
        field_validation=validation,
        force=boolean(query, "force"),
    )


def product(agent: str) -> str:
    """Return the name of a User-Agent: the field manager of who names none."""
    return agent.partition("/")[0][:128] or "unknown"


def boolean(query: Query, name: str) -> bool:
    """Return a flag of the query: present and neither 'false' nor '0'."""
    return query.get(name, "false").lower() not in ("false", "0")


def integer(query: Query, name: str) -> int | None:
    """Return a number of the query, or None; 400 when it is none."""
    text = query.get(name)
    if not text:
        return None
    if not text.lstrip("-").isdigit():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def deletion(body: Obj, query: Query) -> tuple[Deletion, bool]:
    """Return the DeleteOptions and whether it is a dry run; the body counts where it has anything."""
    preconditions = body.get("preconditions") or {}
    found = Deletion(
        propagation=body.get("propagationPolicy") or query.get("propagationPolicy") or None,
        grace=body["gracePeriodSeconds"] if "gracePeriodSeconds" in body else integer(query, "gracePeriodSeconds"),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )
    orphan = body.get("orphanDependents")
    if orphan is None and "orphanDependents" in query:
        orphan = boolean(query, "orphanDependents")
    merged = {**query, **({"dryRun": ",".join(body["dryRun"])} if body.get("dryRun") else {})}
    causes = [*_dry_run(merged)]
    if found.propagation and found.propagation not in PROPAGATION:
        text = unsupported(found.propagation, ("Foreground", "Background", "Orphan", "nil"))
        causes.append(FieldError(Reason.NOT_SUPPORTED, "propagationPolicy", text))
    if found.propagation and orphan is not None:
        text = "Invalid value: orphanDependents and deletionPropagation cannot be both set"
        causes.append(FieldError(Reason.INVALID, "propagationPolicy", text))
    if causes:
        raise invalid_options("DeleteOptions", causes)
    if orphan is not None:
        found.propagation = "Orphan" if orphan else "Background"
    return found, bool(merged.get("dryRun"))


def _dry_run(query: Query) -> list[FieldError]:
    value = query.get("dryRun", "")
    if value in ("", "All"):
        return []
    return [FieldError(Reason.NOT_SUPPORTED, "dryRun", unsupported(value, ("All",)))]
