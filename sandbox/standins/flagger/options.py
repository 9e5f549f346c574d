"""The flags of Flagger's process, as far as they matter here."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.standins.flagger.spec import Canary
from sandbox.standins.flagger.workloads import SELECTOR_LABELS


@dataclass(frozen=True)
class Options:
    """What the Deployment of Flagger says on its command line."""

    metrics_server: str = "http://prometheus:9090"
    mesh_provider: str = "istio"
    event_webhook: str = ""
    watched_namespace: str = ""  # all when empty
    selector_labels: tuple[str, ...] = SELECTOR_LABELS
    tracks_configs: bool = True
    own_namespace: str = "default"

    def provider_of(self, canary: Canary) -> str:
        """Whose routes and metrics a Canary goes by."""
        return str(canary.spec.get("provider") or self.mesh_provider)

    @classmethod
    def parse(cls, args: list[str], *, own_namespace: str) -> Options:
        """Read `-flag=value` and `--flag value` forms; unknown flags are ignored."""
        flags: dict[str, str] = {}
        for index, arg in enumerate(args):
            name, equals, value = arg.lstrip("-").partition("=")
            following = args[index + 1] if index + 1 < len(args) else ""
            flags[name] = value if equals else following
        return cls(
            metrics_server=flags.get("metrics-server") or cls.metrics_server,
            mesh_provider=(flags.get("mesh-provider") or cls.mesh_provider).partition(":")[0],
            event_webhook=flags.get("event-webhook", ""),
            watched_namespace=flags.get("namespace", ""),
            selector_labels=tuple(filter(None, flags.get("selector-labels", "").split(","))) or SELECTOR_LABELS,
            tracks_configs=flags.get("enable-config-tracking", "true") != "false",
            own_namespace=own_namespace,
        )
