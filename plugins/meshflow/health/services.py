"""Services: current when they have their address."""

from __future__ import annotations

from meshflow.health.conditions import current, progressing, spec, status
from meshflow.health.model import Health
from meshflow.objects.reference import Obj


def service(obj: Obj) -> Health:
    """A LoadBalancer waits for its external address, whoever hands these out."""
    if spec(obj).get("type") == "LoadBalancer":
        given = (status(obj).get("loadBalancer") or {}).get("ingress") or ()
        addresses = [one.get("ip") or one.get("hostname") for one in given]
        if not any(addresses):
            return progressing("has no external address yet: nothing has answered for its type LoadBalancer")
        return current(f"reachable at {', '.join(filter(None, addresses))}")
    if spec(obj).get("type") == "ExternalName":
        return current(f"stands for {spec(obj).get('externalName')}")
    address = spec(obj).get("clusterIP")
    if address == "None":
        return current("headless")
    return current(f"address {address}") if address else progressing("has no cluster address yet")
