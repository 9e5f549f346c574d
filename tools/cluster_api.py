"""A look at the cluster by plain HTTP, independent of Meshflow's own client: it is what Meshflow is checked by."""

from __future__ import annotations

import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import yaml


class ClusterApi:
    """GET and PATCH with the token of a kubeconfig's current context."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server, self.token = cluster["server"], str(user["token"])
        self._http = httpx.Client(
            base_url=self.server,
            verify=_trust(cluster, kubeconfig.parent),
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **params: str) -> Any:
        """The decoded answer; None for a 404."""
        answer = self._http.get(path, params=params)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()

    def merge(self, path: str, patch: dict[str, Any], *, manager: str) -> Any:
        """A merge patch by a field manager, as a person with kubectl would do behind our back."""
        answer = self._http.patch(
            path,
            json=patch,
            params={"fieldManager": manager},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        answer.raise_for_status()
        return answer.json()

    def create(self, path: str, obj: dict[str, Any]) -> Any:
        """Create an object in the collection at `path`."""
        answer = self._http.post(path, json=obj)
        answer.raise_for_status()
        return answer.json()

    def delete(self, path: str) -> None:
        """Delete an object; one that is not there is as good as deleted."""
        answer = self._http.delete(path)
        if answer.status_code != 404:
            answer.raise_for_status()

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The sandbox's control API."""
        answer = self._http.request(method, f"/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def weights(self, namespace: str, service: str) -> dict[str, int]:
        """Percent of the traffic by destination host, from the VirtualService; empty without one."""
        path = f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{service}"
        found = self.get(path) or {}
        routes = [route for http in found.get("spec", {}).get("http", []) for route in http.get("route", [])]
        return {route["destination"]["host"]: int(route.get("weight", 100)) for route in routes}

    def failed_checks(self, namespace: str, service: str) -> int:
        """How many checks of a Canary's analysis have failed so far; 0 without a Canary."""
        found = self.get(f"/apis/flagger.app/v1beta1/namespaces/{namespace}/canaries/{service}") or {}
        return int(found.get("status", {}).get("failedChecks") or 0)


def _trust(cluster: dict[str, Any], folder: Path) -> ssl.SSLContext:
    if data := cluster.get("certificate-authority-data"):
        return ssl.create_default_context(cadata=b64decode(data).decode())
    return ssl.create_default_context(cafile=folder / cluster["certificate-authority"])
