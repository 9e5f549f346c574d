"""Which kind has which strategy."""

from __future__ import annotations

from sandbox.builtin.strategy import SPEC, STATUS, Path, Strategy

PLAIN = Strategy()


class Custom(Strategy):
    """A custom resource: everything but metadata and status is counted; `/status` leaves metadata alone too."""

    put_overwrites = False

    def __init__(self, *, has_status: bool) -> None:
        self.has_status = has_status
        self.counted = (SPEC,)

    def foreign(self, subresource: str | None) -> tuple[Path, ...]:
        if subresource is None:
            return (STATUS,) if self.has_status else ()
        return (STATUS,)


TABLE: dict[tuple[str, str], Strategy] = {}


def of(group: str, kind: str) -> Strategy:
    """The strategy of a built-in kind; the plain one where the kind has no rules of its own."""
    return TABLE.get((group, kind), PLAIN)


def custom(*, has_status: bool) -> Strategy:
    """The strategy of a custom resource."""
    return Custom(has_status=has_status)
