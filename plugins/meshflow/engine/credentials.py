"""Secrets that a phase needs and nobody should choose: made once with random contents, then left alone.

They are no part of the desired state: their contents stand in no file, plan, log or record, nothing compares or
repairs them, and pruning does not see them. Whoever wants other contents creates the Secret beforehand.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable

from meshflow.clients.kube import Kube
from meshflow.declared import GeneratedSecret
from meshflow.errors import Rejected
from meshflow.objects.reference import Obj, Reference

ALPHABET = string.ascii_letters + string.digits
ALREADY_THERE = 409


async def ensure(kube: Kube, wanted: Iterable[GeneratedSecret]) -> list[Reference]:
    """Create those that are missing; returns what was created. Their namespaces must exist.

    A Secret that is there is not touched, whatever is in it. A second run writes nothing.
    """
    created = []
    for secret in wanted:
        reference = Reference("", "Secret", secret.namespace, secret.name)
        if await kube.get(reference) is None and await _create(kube, secret):
            created.append(reference)
    return created


async def _create(kube: Kube, secret: GeneratedSecret) -> bool:
    try:
        await kube.create(_made(secret))
    except Rejected as refusal:
        if refusal.status != ALREADY_THERE:
            raise
        return False  # another run was faster; its contents are as good
    return True


def _made(secret: GeneratedSecret) -> Obj:
    contents = {key: "".join(secrets.choice(ALPHABET) for _ in range(size)) for key, size in secret.random.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret.name,
            "namespace": secret.namespace,
            "labels": {"app.kubernetes.io/managed-by": "meshflow"},
        },
        "type": "Opaque",
        "stringData": {**secret.literals, **contents},
    }
