"""Admission webhooks: current when each one can be trusted, so that calls to it can work."""

from __future__ import annotations

from typing import Any

from meshflow.health.conditions import current, progressing
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def configuration(obj: Obj) -> Health:
    """Every webhook that is a service has a caBundle. One at a URL may use a public certificate and needs none."""
    webhooks = obj.get("webhooks") or ()
    without = [str(webhook.get("name")) for webhook in webhooks if not _trusted(webhook.get("clientConfig") or {})]
    told = f"{len(webhooks) - len(without)} of {len(webhooks)} webhooks have a caBundle"
    if without:
        return progressing(f"{told}; its server has not written that of {', '.join(without)} yet")
    return current(told)


def _trusted(client_config: dict[str, Any]) -> bool:
    return bool(client_config.get("caBundle") or client_config.get("url"))
