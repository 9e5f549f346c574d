"""All the rules in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.schema.defaulting import cluster, pods, services, workloads
from sandbox.schema.node import Obj

Rule = Callable[[Obj], None]
FAMILIES = (pods, workloads, services, cluster)

CONSTANTS: dict[str, dict[str, Any]] = {name: found for family in FAMILIES for name, found in family.CONSTANTS.items()}
RULES: dict[str, Rule] = {name: rule for family in FAMILIES for name, rule in family.RULES.items()}
AFTER: dict[str, Rule] = {name: rule for family in FAMILIES for name, rule in family.AFTER.items()}
