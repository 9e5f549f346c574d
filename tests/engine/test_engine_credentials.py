"""Secrets that are made once."""

from __future__ import annotations

import string
from typing import Any

import pytest

from meshflow.declared import GeneratedSecret
from meshflow.engine import credentials
from meshflow.errors import Rejected
from meshflow.objects.reference import Obj, Reference

WANTED = GeneratedSecret(name="login", namespace="tools", literals={"user": "admin"}, random={"password": 40})
REFERENCE = Reference("", "Secret", "tools", "login")


class Cluster:
    """As much of a cluster as Secrets need. `refusal` is raised by the next create."""

    def __init__(self, *, refusal: Exception | None = None) -> None:
        self.objects: dict[Reference, Obj] = {}
        self.refusal = refusal

    async def get(self, reference: Reference) -> Obj | None:
        return self.objects.get(reference)

    async def create(self, obj: Obj) -> Obj:
        if self.refusal:
            raise self.refusal
        self.objects[Reference.of(obj)] = obj
        return obj


async def ensure(cluster: Any) -> list[Reference]:
    return await credentials.ensure(cluster, [WANTED])


async def test_a_missing_secret_is_made_with_random_contents() -> None:
    first, second = Cluster(), Cluster()
    assert await ensure(first) == await ensure(second) == [REFERENCE]
    data = first.objects[REFERENCE]["stringData"]
    assert data["user"] == "admin"
    assert len(data["password"]) == 40
    assert set(data["password"]) <= set(string.ascii_letters + string.digits)
    assert data["password"] != second.objects[REFERENCE]["stringData"]["password"]


async def test_a_secret_that_is_there_is_left_alone() -> None:
    cluster = Cluster()
    cluster.objects[REFERENCE] = {"data": {"password": "bXkgb3du"}}
    assert await ensure(cluster) == []
    assert cluster.objects[REFERENCE] == {"data": {"password": "bXkgb3du"}}


async def test_a_race_with_another_run_is_no_error() -> None:
    assert await ensure(Cluster(refusal=Rejected("it exists already", status=409))) == []
    with pytest.raises(Rejected):
        await ensure(Cluster(refusal=Rejected("no", status=422)))
