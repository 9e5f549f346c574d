"""Tokens of ServiceAccounts: fills in the Secrets of type `kubernetes.io/service-account-token`.

The API server takes them, as it does those of `kubectl create token`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from sandbox.controllers.base import Controller, Watched

TYPE = "kubernetes.io/service-account-token"
NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"


class Tokens(Controller):
    """A Secret whose ServiceAccount is not there is looked at again until it is."""

    watches = (Watched("v1", "Secret"),)
    retry = 1.0  # seconds until the account of a Secret is looked for again

    def __init__(self, *args: Any, certificate: str, issue: Callable[[str, str], str]) -> None:
        """`issue` makes a token for the account of a namespace and name."""
        super().__init__(*args)
        self._certificate, self._issue = certificate, issue

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        secret = await self.client.get("v1", "Secret", name, namespace)
        if secret is None or secret.get("type") != TYPE or (secret.get("data") or {}).get("token"):
            return None
        metadata = secret["metadata"]
        account = await self.client.get("v1", "ServiceAccount", (metadata.get("annotations") or {})[NAME], namespace)
        if account is None:
            return self.retry
        token = self._issue(str(namespace), account["metadata"]["name"])
        contents = {"token": token, "ca.crt": self._certificate, "namespace": str(namespace)}
        data = {key: base64.b64encode(value.encode()).decode() for key, value in contents.items()}
        annotations = {**metadata["annotations"], UID: account["metadata"]["uid"]}
        filled = {**secret, "metadata": {**metadata, "annotations": annotations}, "data": data}
        await self.client.update(filled)
        return None
