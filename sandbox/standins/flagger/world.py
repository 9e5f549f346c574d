"""Flagger's hands: reads and writes of the objects around one Canary.

Every write is one that the real Flagger makes, at the same moment and with the same scope: whole-object updates for
what it owns, merge patches for the target's replicas.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.standins.flagger import autoscaler, configs, hashing, routes, workloads
from sandbox.standins.flagger.machine import Observation, Readiness, Routes
from sandbox.standins.flagger.spec import Canary
from sandbox.standins.flagger.status import phase_of

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock

Obj = dict[str, Any]

CANARY = "flagger.app/v1beta1"


class Trouble(Exception):
    """Something that Flagger reports as a warning event and tries again at the next tick."""


class World:
    """The objects around Canaries."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        labels: tuple[str, ...] = workloads.SELECTOR_LABELS,
        tracks_configs: bool = True,
    ) -> None:
        self.client, self.clock = client, clock
        self._labels, self._tracks_configs = labels, tracks_configs

    async def canary(self, namespace: str, name: str) -> Canary | None:
        obj = await self.client.get(CANARY, "Canary", name, namespace)
        return Canary(obj) if obj else None

    async def target(self, canary: Canary) -> Obj:
        """The Deployment that the Canary watches over. Raises Trouble."""
        if canary.target_kind != "Deployment":
            raise Trouble(f"target kind {canary.target_kind} is not simulated, only Deployment is")
        found = await self._deployment(canary, canary.target)
        if found is None:
            name = f"{canary.target}.{canary.namespace}"
            raise Trouble(f'deployment {name} get query error: deployments.apps "{canary.target}" not found')
        return found

    async def label(self, canary: Canary) -> tuple[str, str]:
        """The label that tells target and primary apart. Raises Trouble."""
        try:
            return workloads.selector_label(await self.target(canary), self._labels)
        except workloads.NoSelectorLabel as error:
            raise Trouble(f"getSelectorLabel failed: {error}") from error

    async def ensure_service(self, canary: Canary, suffix: str) -> None:
        """One of the three Services: the apex (no suffix) and `-primary` select the primary, `-canary` the target."""
        label, value = await self.label(canary)
        meta = canary.service.get(suffix.removeprefix("-") or "apex") or {}
        selected = value if suffix == "-canary" else f"{value}-primary"
        ports = routes.discovered_ports(canary, await self.target(canary))
        wanted = routes.service(canary, f"{canary.apex}{suffix}", label, selected, meta, ports)
        live = await self.client.get("v1", "Service", wanted["metadata"]["name"], canary.namespace)
        if live is None:
            await self.client.create(wanted)
        elif (merged := routes.merged_service(canary, live, wanted)) is not None:
            await self.client.update(merged)

    async def ensure_primary(self, canary: Canary) -> None:
        """The primary Deployment, with its copies of the configs, where there is none yet."""
        if await self._deployment(canary, canary.primary) is not None:
            return
        target, label = await self.target(canary), await self.label(canary)
        try:
            keys = await self._copy_configs(canary)
        except Trouble as error:
            raise Trouble(f"createPrimaryDeployment failed: {error}") from error
        now = self.clock.micro_timestamp()
        await self.client.create(workloads.first_primary(canary, target, keys, label, now=now))

    async def ensure_autoscaler(self, canary: Canary, *, follow: bool) -> None:
        """The primary's autoscaler; with `follow`, brought up to the target's."""
        reference = canary.autoscaler
        if reference is None or reference.get("kind") != "HorizontalPodAutoscaler":
            return
        kind = ("autoscaling/v2", "HorizontalPodAutoscaler")
        own = await self.client.get(*kind, reference["name"], canary.namespace)
        if own is None:
            name = f"HorizontalPodAutoscaler {reference['name']}.{canary.namespace}"
            missing = f'horizontalpodautoscalers.autoscaling "{reference["name"]}" not found'
            raise Trouble(f"{name} get query error: {missing}")
        live = await self.client.get(*kind, f"{reference['name']}-primary", canary.namespace)
        if live is None:
            await self.client.create(autoscaler.twin(canary, own))
        elif follow and (merged := autoscaler.merged(canary, live, own)) is not None:
            await self.client.update(merged)

    async def ensure_routes(self, canary: Canary) -> None:
        """The two DestinationRules and the VirtualService. Raises Trouble."""
        for host in (f"{canary.apex}-canary", f"{canary.apex}-primary"):
            rule = routes.destination_rule(canary, host)
            live = await self.client.get(routes.ISTIO, "DestinationRule", host, canary.namespace)
            if live is None:
                await self.client.create(rule)
            elif live["spec"] != rule["spec"]:
                await self.client.update({**live, "spec": rule["spec"]})
        if canary.service.get("delegation") and (canary.service.get("hosts") or canary.service.get("gateways")):
            text = "cannot have hosts and gateways when delegation enabled"
            name = f"VirtualService {canary.apex}.{canary.namespace}"
            raise Trouble(f"reconcileVirtualService failed: {name} {text}")
        wanted = routes.virtual_service(canary, (await self.label(canary))[0])
        live = await self._virtual_service(canary)
        if live is None:
            await self.client.create(wanted)
            return
        original = json.dumps(live["spec"], separators=(",", ":"))
        if merged := routes.merged_virtual_service(live, wanted, original=original):
            await self.client.update(merged)

    async def observe(self, canary: Canary, *, meshed: bool) -> Observation:
        """What the state machine must know, all at this moment."""
        current = canary.obj.get("status") or {}
        return Observation(
            phase=phase_of(current),
            failed_checks=int(current.get("failedChecks") or 0),
            weight=int(current.get("canaryWeight") or 0),
            iterations=int(current.get("iterations") or 0),
            changed=await self._changed(canary, current),
            primary=await self.primary_readiness(canary),
            canary=await self.target_readiness(canary),
            routes=await self._routes(canary, meshed=meshed),
            meshed=meshed,
        )

    async def primary_readiness(self, canary: Canary) -> Readiness:
        """Whether the primary is rolled out, in the words of Flagger's events."""
        found = await self._readiness(canary, canary.primary, canary.analysis.primary_ready)
        return found._replace(
            problem=found.problem and f"{canary.primary}.{canary.namespace} not ready: {found.problem}"
        )

    async def target_readiness(self, canary: Canary) -> Readiness:
        """Whether the target is rolled out, in the words of Flagger's events."""
        found = await self._readiness(canary, canary.target, canary.analysis.canary_ready)
        name = f"canary deployment {canary.target}.{canary.namespace}"
        return found._replace(problem=found.problem and f"{name} not ready: {found.problem}")

    async def scale(self, canary: Canary, replicas: int) -> None:
        change = {"spec": {"replicas": replicas}}
        await self.client.patch("apps/v1", "Deployment", canary.target, canary.namespace, change)

    async def scale_up(self, canary: Canary) -> None:
        """Scale the target up from zero."""
        target, primary = await self.target(canary), await self._deployment(canary, canary.primary)
        own = None
        if canary.autoscaler:
            name = canary.autoscaler["name"]
            own = await self.client.get("autoscaling/v2", "HorizontalPodAutoscaler", name, canary.namespace)
        await self.scale(canary, workloads.replicas_from_zero(canary, target, primary, own))

    async def promote(self, canary: Canary) -> None:
        """Copy configs and template to the primary."""
        target, label = await self.target(canary), await self.label(canary)
        keys = await self._copy_configs(canary)
        primary = await self._deployment(canary, canary.primary)
        if primary is None:
            raise Trouble(f"deployment {canary.primary}.{canary.namespace} get query error: not found")
        now = self.clock.micro_timestamp()
        await self.client.update(workloads.promoted(canary, primary, target, keys, label, now=now))

    async def route(self, canary: Canary, primary: int, weight: int, *, mirrored: bool) -> None:
        live = await self._virtual_service(canary)
        if live is None:
            raise Trouble(routes.missing(canary))
        await self.client.update(routes.with_weights(canary, live, primary, weight, mirrored=mirrored))

    async def revert(self, canary: Canary) -> None:
        """Give the target its pods back."""
        primary = await self._deployment(canary, canary.primary)
        if primary is None:
            await self.scale_up(canary)
        else:
            await self.scale(canary, int(primary["spec"].get("replicas", 1)))

    async def revert_routes(self, canary: Canary) -> None:
        """Give a Service and a VirtualService that Flagger took over their old content."""
        label, value = await self.label(canary)
        apex = await self.client.get("v1", "Service", canary.apex, canary.namespace)
        if apex and not routes.owned(canary, apex):
            await self.client.update({**apex, "spec": {**apex["spec"], "selector": {label: value}}})
        live = await self._virtual_service(canary)
        annotations = (live or {}).get("metadata", {}).get("annotations") or {}
        if live and routes.LAST_APPLIED in annotations:
            await self.client.update({**live, "spec": json.loads(annotations[routes.LAST_APPLIED])["spec"]})
        elif live and routes.ORIGINAL in annotations:
            await self.client.update({**live, "spec": json.loads(annotations[routes.ORIGINAL])})

    async def _changed(self, canary: Canary, current: Obj) -> bool:
        applied = current.get("lastAppliedSpec")
        if not applied:
            return True
        found = hashing.spec_hash((await self.target(canary))["spec"]["template"])
        # A spec that is back at what was promoted starts nothing, whatever was applied in between.
        if found not in (current.get("lastPromotedSpec"), applied):
            return True
        return await self.checksums(canary) != (current.get("trackedConfigs") or {})

    async def _routes(self, canary: Canary, *, meshed: bool) -> Routes:
        if meshed:
            return routes.weights(canary, await self._virtual_service(canary))
        done = int((canary.obj.get("status") or {}).get("iterations") or 0)
        return Routes(0, 100) if done > 0 else Routes(100, 0)

    async def checksums(self, canary: Canary) -> dict[str, str]:
        """The tracked configs, as the status names them."""
        found = await self._configs(canary)
        return {key: configs.checksum(obj) for key, obj in sorted(found.items())}

    async def _configs(self, canary: Canary) -> dict[str, Obj]:
        found: dict[str, Obj] = {}
        if not self._tracks_configs:
            return found
        for config in configs.referenced((await self.target(canary))["spec"]["template"]["spec"]):
            obj = await self.client.get("v1", config.kind, config.name, canary.namespace)
            if obj is None and not config.optional:
                failed = f"{config.kind.lower()} {config.name}.{canary.namespace} get query error"
                missing = f'{config.kind.lower()}s "{config.name}" not found'
                raise Trouble(f"GetTargetConfigs failed: {failed}: {failed}: {missing}")
            if obj is not None and configs.tracked(obj):
                found[config.key] = obj
        return found

    async def _copy_configs(self, canary: Canary) -> set[str]:
        found = await self._configs(canary)
        for obj in found.values():
            twin = configs.twin(obj, owner=canary.owner)
            live = await self.client.get("v1", obj["kind"], twin["metadata"]["name"], canary.namespace)
            if live is None:
                await self.client.create(twin)
            elif (live.get("data") or {}) != twin["data"]:
                await self.client.update({**live, "data": twin["data"]})
        return set(found)

    async def _readiness(self, canary: Canary, name: str, percent: int) -> Readiness:
        deployment = await self._deployment(canary, name)
        deadline = self.clock.scaled(canary.deadline)
        full = f"{name}.{canary.namespace}"
        return workloads.readiness(deployment, full, deadline=deadline, percent=percent, now=self.clock.now())

    async def _deployment(self, canary: Canary, name: str) -> Obj | None:
        return await self.client.get("apps/v1", "Deployment", name, canary.namespace)

    async def _virtual_service(self, canary: Canary) -> Obj | None:
        return await self.client.get(routes.ISTIO, "VirtualService", canary.apex, canary.namespace)
