"""The words that the groups share, and what becomes of a question that is not answered."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from meshflow.errors import MeshflowError
from meshflow.gates import model
from meshflow.gates.model import Verdict

Options = Mapping[str, Any]
"""What a caller says beyond the mesh, such as the `service` of a preflight."""

Answer = Verdict | Sequence[Verdict]

ISTIO_NAMESPACE = "istio-system"
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


async def asked(gate: str, question: Awaitable[Answer]) -> list[Verdict]:
    """The answer, or the verdict `error` of that gate."""
    try:
        answer = await question
    except MeshflowError as problem:
        return [model.error(gate, problem)]
    return [answer] if isinstance(answer, Verdict) else list(answer)
