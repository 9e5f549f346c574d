"""A plan for people (a diff) and for programs (bounded JSON)."""

from __future__ import annotations

from typing import Any

from meshflow.plan.model import Plan

XCOM_LIMIT = 60_000
"""Bytes that `brief` keeps below; Airflow wants XComs under 100 KB."""


def text(plan: Plan, *, colour: bool = False, limit: int | None = None) -> str:
    """A diff to read: one block per object that is not unchanged, then one line of counts.

    `limit` bounds the number of lines; what is left out is counted in the last line. Deterministic.
    """
    raise NotImplementedError


def brief(plan: Plan, *, limit: int = XCOM_LIMIT) -> dict[str, Any]:
    """The plan as JSON-ready data of at most `limit` bytes: counts always, changed entries as far as they fit.

    `left_out` says how many changed entries did not fit.
    """
    raise NotImplementedError
