"""Flagger as a process: it watches Canaries, and gives each a job that ticks at the Canary's interval.

One tick first brings the objects around the Canary in order (Services, primary, autoscaler, routes), then runs the
state machine's script and does its effects one by one. An effect that fails ends the tick with a warning event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.api.errors import ApiError
from sandbox.standins.flagger import effects, machine, webhooks
from sandbox.standins.flagger.checks import Checks
from sandbox.standins.flagger.events import Events
from sandbox.standins.flagger.ledger import FINALIZER, Ledger
from sandbox.standins.flagger.options import Options
from sandbox.standins.flagger.recorder import Recorder
from sandbox.standins.flagger.spec import Canary, Hook, HookType
from sandbox.standins.flagger.status import STARTING, Phase, phase_of
from sandbox.standins.flagger.world import CANARY, Trouble, World

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock
    from sandbox.network import Network

Obj = dict[str, Any]
Key = tuple[str, str]  # namespace, name

log = logging.getLogger(__name__)
CONTROL_LOOP = 10.0  # seconds between two looks at which jobs there should be
LEAST_TICK = 0.9  # real seconds between two ticks at any speed: Prometheus must see two samples in between
REVERT_TRIES, REVERT_AGAIN = 5, 3.0  # looks at a target that is being given back, and the seconds in between


class Operator:
    """The whole of Flagger for one sandbox."""

    def __init__(self, client: Client, clock: Clock, network: Network, recorder: Recorder, options: Options) -> None:
        self.client, self.clock, self.network = client, clock, network
        self.recorder, self.options = recorder, options
        self.world = World(client, clock, labels=options.selector_labels, tracks_configs=options.tracks_configs)
        self.ledger = Ledger(client, clock, self.world)
        self.checks = Checks(client, clock, network, recorder, options)
        self.events = Events(client, clock)
        self._canaries: dict[Key, Canary] = {}
        self._jobs: dict[Key, tuple[float, asyncio.Task[None]]] = {}
        self._endings: dict[Key, asyncio.Task[None]] = {}  # Canaries that are being reverted

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._schedule())
        finally:
            for task in [*(job for _, job in self._jobs.values()), *self._endings.values()]:
                task.cancel()
            self._jobs.clear()

    async def _follow(self) -> None:
        while True:
            try:
                async for change, obj in self.client.watch(CANARY, "Canary"):
                    await self.on_canary(change, Canary(obj))
            except ApiError as error:
                log.debug("cannot watch canaries: %s", error)
            await self.clock.sleep(1.0)

    async def on_canary(self, change: str, canary: Canary) -> None:
        """One event of the watch."""
        key = (canary.namespace, canary.name)
        if change == "DELETED" or self.options.watched_namespace not in ("", canary.namespace):
            self._canaries.pop(key, None)
            return
        finalizer = FINALIZER in (canary.obj["metadata"].get("finalizers") or ())
        if canary.obj["metadata"].get("deletionTimestamp"):
            self._canaries.pop(key, None)
            if canary.reverts and finalizer and key not in self._endings:
                self._endings[key] = asyncio.create_task(self._end(key, canary))
            return
        if not _is_sound(canary):
            return
        self._canaries[key] = canary
        try:
            if not (canary.obj.get("status") or {}).get("conditions"):
                await self.ledger.initialise(canary)
            if canary.reverts != finalizer:
                await self.ledger.set_finalizer(canary, present=canary.reverts)
        except (ApiError, Trouble) as error:
            log.warning("canary %s: %s", canary, error)

    async def _schedule(self) -> None:
        while True:
            await self.clock.sleep(CONTROL_LOOP)
            self.schedule()

    def schedule(self) -> None:
        """Start, restart and stop jobs, so that each Canary has one that ticks at its interval."""
        for key in [k for k in self._jobs if k not in self._canaries]:
            self._jobs.pop(key)[1].cancel()
        for key, canary in self._canaries.items():
            interval = canary.analysis.interval
            running = self._jobs.get(key)
            if running and running[0] == interval:
                continue
            if running:
                running[1].cancel()
            self._jobs[key] = interval, asyncio.create_task(self._job(key, interval))
        self.recorder.totals(Counter(namespace for namespace, _ in self._canaries))

    async def _job(self, key: Key, interval: float) -> None:
        interval = max(interval, LEAST_TICK / self.clock.scaled(1.0))
        while True:
            began = self.clock.monotonic()
            try:
                await self.tick(*key)
            except Exception:  # the outermost frame of a job: a bug in one tick must not end it
                log.exception("canary %s.%s: tick failed", *reversed(key))
            spent = (self.clock.monotonic() - began) / self.clock.scaled(1.0)
            await self.clock.sleep(max(0.0, interval - spent))

    async def tick(self, namespace: str, name: str) -> None:
        """One step of the Canary, if it is due one."""
        canary = await self.world.canary(namespace, name)
        if canary is None or canary.obj["metadata"].get("deletionTimestamp"):
            return
        if canary.suspended:
            await self.say(canary, "skipping canary run as object is suspended")
            return
        try:
            if await self._bring_in_order(canary):
                await self._step(canary)
        except (ApiError, Trouble) as error:
            await self.say(canary, str(error), warning=True)

    async def _bring_in_order(self, canary: Canary) -> bool:
        """The objects around the Canary; False when this tick ends here."""
        starting = phase_of(canary.obj.get("status") or {}) in STARTING
        meshed = self._meshed(canary)
        await self.world.label(canary)
        for suffix in ("-canary", "-primary"):
            await self.world.ensure_service(canary, suffix)
        if starting and not canary.skips_analysis:
            await self._check_metric_servers(canary)
        await self.world.ensure_primary(canary)
        if starting and not canary.skips_analysis:
            primary = await self.world.primary_readiness(canary)
            if primary.problem:
                await self.say(canary, primary.problem, warning=True)
                if primary.hopeless:
                    await self._perform(canary, machine.roll_back(canary, await self._observe(canary)))
                return False
        await self.world.ensure_autoscaler(canary, follow=False)
        await self.world.ensure_service(canary, "")
        if starting:
            await self.world.scale(canary, 0)
        if meshed:
            await self.world.ensure_routes(canary)
        if starting:
            await self.ledger.sync(canary, Phase.INITIALIZED)
            self.recorder.status(canary, Phase.INITIALIZED)
            await self.say(canary, f"Initialization done! {canary}", phase=Phase.INITIALIZED)
        return True

    async def _check_metric_servers(self, canary: Canary) -> None:
        problem = await self.checks.problem_of_servers(canary)
        if problem:
            await self.say(canary, f"Error checking metric providers: {problem}", warning=True)
        else:
            await self.say(canary, "all the metrics providers are available!")

    async def _step(self, canary: Canary) -> None:
        fresh = await self.world.canary(canary.namespace, canary.name)
        if fresh is None:
            return
        seen = await self._observe(fresh)
        self.recorder.status(fresh, seen.phase)
        await self._perform(fresh, machine.decide(fresh, seen))

    async def _observe(self, canary: Canary) -> machine.Observation:
        return await self.world.observe(canary, meshed=self._meshed(canary))

    async def _perform(self, canary: Canary, script: effects.Script) -> None:
        answer: effects.Answer = None
        while True:
            try:
                effect = script.send(answer)
            except StopIteration:
                return
            answer = await self._do(canary, effect)

    async def _do(self, canary: Canary, effect: effects.Effect) -> effects.Answer:
        match effect:
            case effects.Say(message, warning, phase):
                await self.say(canary, message, warning=warning, phase=phase)
            case effects.Sync(phase, weight, failed, iterations):
                await self.ledger.sync(canary, phase, weight=weight, failed=failed, iterations=iterations)
                self.recorder.status(canary, phase)
            case effects.Enter(phase):
                await self.ledger.enter(canary, phase)
                self.recorder.status(canary, phase)
            case effects.Count(field, value):
                await self.ledger.count(canary, field, value)
            case effects.Route(primary, weight, mirrored):
                if self._meshed(canary):
                    await self.world.route(canary, primary, weight, mirrored=mirrored)
            case effects.Scale(up):
                await (self.world.scale_up(canary) if up else self.world.scale(canary, 0))
            case effects.Promote():
                await self.world.promote(canary)
            case effects.SyncAutoscaler():
                await self.world.ensure_autoscaler(canary, follow=True)
            case effects.Call(hook, phase):
                return await self._call(hook, webhooks.payload(canary, phase, dict(hook.metadata)))
            case effects.Measure(metric):
                return await self.checks.measure(canary, metric)
            case effects.Weigh(primary, weight):
                self.recorder.weight(canary, primary, weight)
            case effects.Finished(succeeded, skipped):
                self.recorder.finished(canary, succeeded=succeeded, skipped=skipped)
        return None

    async def say(self, canary: Canary, message: str, *, warning: bool = False, phase: Phase | None = None) -> None:
        """An event, and a call of the Canary's event webhooks (or of the global one where it has none)."""
        log.info("canary %s: %s", canary, message)
        try:
            await self.events.write(canary, message, warning=warning)
        except ApiError as error:
            log.warning("canary %s: cannot write an event: %s", canary, error)
        hooks = canary.analysis.hooks_of(HookType.EVENT)
        if not hooks and self.options.event_webhook:
            hooks = (Hook("events", HookType.EVENT, self.options.event_webhook, 10.0, 0, {}),)
        told = phase or phase_of(canary.obj.get("status") or {})
        milliseconds = int(self.clock.now().timestamp() * 1000)
        for hook in hooks:
            kind = "Warning" if warning else "Normal"
            document = webhooks.event_payload(canary, told, hook, message, kind, milliseconds)
            if problem := await self._call(hook, document):
                log.warning("canary %s: event webhook %s: %s", canary, hook.name, problem)

    async def _end(self, key: Key, canary: Canary) -> None:
        """Revert a deleted Canary's work, as often as it takes."""
        while True:
            try:
                await self._finalise(canary)
                break
            except (ApiError, Trouble) as error:
                log.warning("canary %s cannot be finalised yet: %s", canary, error)
                await self.clock.sleep(REVERT_AGAIN)
        del self._endings[key]

    async def _finalise(self, canary: Canary) -> None:
        if phase_of(canary.obj.get("status") or {}) != Phase.TERMINATING:
            await self.ledger.enter(canary, Phase.TERMINATING)
            await self.say(canary, f"Terminating canary {canary}")
        await self.world.revert(canary)
        for _ in range(REVERT_TRIES):
            if (await self.world.target_readiness(canary)).problem is None:
                break
            await self.clock.sleep(REVERT_AGAIN)
        else:
            raise Trouble("canary not ready during finalizing")
        await self.world.revert_routes(canary)
        await self.ledger.set_finalizer(canary, present=False)
        await self.say(canary, f"Terminated canary {canary}")

    async def _call(self, hook: Hook, document: Mapping[str, Any]) -> str | None:
        where = self.options.own_namespace
        return await webhooks.call(self.network, self.clock, hook, dict(document), namespace=where)

    def _meshed(self, canary: Canary) -> bool:
        provider = self.options.provider_of(canary)
        if provider not in ("istio", "kubernetes"):
            raise Trouble(f"provider {provider} is not simulated, only istio and kubernetes are")
        return provider == "istio"


def _is_sound(canary: Canary) -> bool:
    """Whether the analysis can be read; one that cannot is left alone, and the log says why."""
    try:
        canary.analysis  # noqa: B018 - read once, for the error
    except (ValueError, KeyError, TypeError) as error:
        log.warning("canary %s is left alone, its analysis cannot be read: %s", canary, error)
        return False
    return True
