"""Whether an object may be stored: everything that can be said of the object alone, and of the one it replaces."""

from __future__ import annotations

from sandbox.schema.errors import FieldError
from sandbox.schema.node import Node, Obj
from sandbox.schema.rules import metadata, structural, table


def validate(node: Node, obj: Obj, *, old: Obj | None = None) -> list[FieldError]:
    """All errors of a decoded and defaulted object; empty when it is valid. `old` is the stored object on update.

    Not judged here: namespaces and resourceVersions (they depend on the request), and what takes a look at other
    objects.
    """
    if node.kind is None:
        raise ValueError("only the root of a kind can be validated")
    group, _, kind = node.kind
    errors = list(metadata.check(group, kind, obj))
    if node.custom:
        errors += structural.check(node, obj)
    elif (group, kind) in table.RULES:
        errors += table.RULES[group, kind](obj, old)
    return errors
