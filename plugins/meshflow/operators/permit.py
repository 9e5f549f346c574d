"""The careful half of mutual TLS: PERMISSIVE first, and never back from STRICT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from meshflow.operators import bundles
from meshflow.operators.apply import Apply

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube

POLICY = ("security.istio.io", "PeerAuthentication")


class Permit(Apply):
    """Apply the PERMISSIVE stage where the mesh is not STRICT yet.

    A mesh that is STRICT already stays so: going back to PERMISSIVE on every run would open it for a while each time.
    """

    def work(self, context: Context) -> dict[str, Any]:
        """Apply, or say why there is nothing to do."""
        if self.ask(self._strict):
            self.log.info("The mesh is STRICT already: it is left so.")
            return {"set": bundles.set_name(self.bundle), "counts": {}, "writes": {}, "objects": 0}
        return super().work(context)

    def rendered(self, context: Context) -> Any:
        """This stage is rendered here: the run planned the final one."""
        return bundles.render(self.mesh, self.bundle)

    async def _strict(self, kube: Kube) -> bool:
        """Whether a PeerAuthentication of this stage is STRICT: none is taken back for the sake of the others."""
        policies = [
            item.reference
            for item in bundles.render(self.mesh, self.bundle).objects
            if (item.reference.group, item.reference.kind) == POLICY
        ]
        live = [await kube.get(reference) for reference in policies]
        modes = [((obj or {}).get("spec") or {}).get("mtls", {}).get("mode") for obj in live]
        return "STRICT" in modes
