"""The shape of a value, as a tree of nodes that unfolds as it is walked.

One node answers for everything that a write asks of a schema: which fields there are (decoding, pruning), how lists and
maps are merged by strategic merge patches (`patch_strategy`, `patch_key`) and by server-side apply (`atomic`,
`list_type`, `keys`), and what is filled in (`default`). The built-in kinds and the CRDs subclass it; nothing else needs
to know which of the two it walks, except where Kubernetes itself treats them differently (`custom`).

A node is made once and shared by all objects of its kind. It must not be changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

Obj = dict[str, Any]


class Shape(StrEnum):
    """What JSON a value may be, and how it is read."""

    STRUCT = "struct"  # an object with named fields
    MAP = "map"  # an object with free keys and one shape of value
    LIST = "list"
    STRING = "string"
    TIME = "time"  # RFC 3339 in seconds
    MICRO_TIME = "microtime"  # RFC 3339 with a fraction
    BYTES = "bytes"  # base64
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    QUANTITY = "quantity"  # 500m, 1Gi; a number is accepted too
    INT_OR_STRING = "intstr"
    ANY = "any"


class Kind(NamedTuple):
    """What a schema is of."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Kind={self.kind}"


class Missing:
    """The type of MISSING, which is no value, not even null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


class Node:
    """The shape of one value. All attributes have the answer that most nodes give."""

    shape: Shape = Shape.ANY
    name: str = ""
    """The struct's own name (`PodSpec`), for messages; empty where it has none."""

    type: str = ""
    """What Go calls the type of a struct (`v1.PodSpec`) or number (`int64`), for messages."""

    kind: Kind | None = None
    """Set on the root of a kind."""

    custom: bool = False
    """Belongs to a custom resource."""

    atomic: bool = False
    """A map, struct or untyped value that has one owner as a whole."""

    list_type: str = "atomic"
    """atomic, set or map; for lists."""

    keys: tuple[str, ...] = ()
    """The key fields of the items of a list of type map."""

    patch_strategy: str = ""
    """merge, replace or retainKeys (or two, with a comma); for strategic merge patches."""

    patch_key: str = ""
    """The one key by which a strategic merge patch merges items; empty for lists of scalars."""

    required: tuple[str, ...] = ()
    default: Any = MISSING
    nullable: bool = False
    preserve: bool = False
    """Fields that the schema lacks are kept."""

    embedded: bool = False
    """A whole object of another kind is in here."""

    omitted: frozenset[str] = frozenset()
    """Fields that are left out when they have their zero value (built-in kinds)."""

    rules: Mapping[str, Any] = {}
    """The value validations, as in the CRD (custom resources)."""

    @cached_property
    def fields(self) -> Mapping[str, Node]:
        """The named fields of a struct; empty otherwise."""
        return {}

    @cached_property
    def items(self) -> Node:
        """The shape of the items of a list, or of the values of a map."""
        return DEDUCED

    def field(self, name: str) -> Node | None:
        """The shape of what stands at a key of an object: a field, an entry, what is preserved; None where unknown."""
        known = self.fields.get(name)
        if known is not None:
            return known
        if self.shape is Shape.MAP:
            return self.items
        return DEDUCED if self.preserve or self.shape is Shape.ANY else None

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind or self.name or self.shape}>"


class Deduced(Node):
    """A value without schema: its maps are shared by key, its lists have one owner."""

    preserve = True


class Untyped(Node):
    """A value without schema that has one owner as a whole, such as a JSON document inside a built-in kind."""

    preserve = True
    atomic = True


DEDUCED = Deduced()
UNTYPED = Untyped()
