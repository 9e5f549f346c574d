"""Jobs: pods until enough of them have succeeded."""

from __future__ import annotations

from typing import Any

from sandbox.controllers import conditions, events, owners, pods
from sandbox.controllers.base import Controller, Watched, own_key, owner_keys

Obj = dict[str, Any]


class Jobs(Controller):
    watches = (Watched("batch/v1", "Job", own_key), Watched("v1", "Pod", owner_keys("Job")))
    workers = 5  # a slow admission webhook must hold up only those whose pods it is asked about

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorder = events.Recorder(self.client, self.clock, "job-controller")

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        job = await self.client.get("batch/v1", "Job", name, namespace)
        if job is None or job["metadata"].get("deletionTimestamp"):
            return None
        if finished(job):
            return await self._clean_up(job)
        listed = await self.client.list("v1", "Pod", namespace)
        own = await owners.claim(self.client, job, listed)
        if not job["spec"].get("suspend"):
            own += await self._start_missing(job, own)
        await self._write_status(job, own)
        return None

    async def _start_missing(self, job: Obj, own: list[Obj]) -> list[Obj]:
        """Start what may run now; returns the new pods."""
        spec = job["spec"]
        done, failed, running = tally(own)
        if failed > spec.get("backoffLimit", 6):
            return []
        wanted = min(spec.get("parallelism", 1), max(0, _completions(spec, done) - done))
        made = []
        for _ in range(wanted - running):
            pod = pods.from_template(spec["template"], job, owners.reference(job))
            made.append(await self.client.create(pod))
            self.recorder.normal(job, "SuccessfulCreate", f"Created pod: {made[-1]['metadata']['name']}")
        return made

    async def _write_status(self, job: Obj, own: list[Obj]) -> None:
        now, before = self.clock.timestamp(), job.get("status") or {}
        done, failed, running = tally(own)
        ready = sum(pods.ready(pod) for pod in own if pods.active(pod))
        counts = {"active": running, "succeeded": done, "failed": failed}
        status: Obj = {**{key: count for key, count in counts.items() if count}, "ready": ready, "terminating": 0}
        status["uncountedTerminatedPods"] = {}
        status["startTime"] = before.get("startTime", now)
        found = before.get("conditions") or []
        if done >= _completions(job["spec"], done) and not running and done:
            found = self._conclude(
                job, found, "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
            )
            status["completionTime"] = now
        elif failed > job["spec"].get("backoffLimit", 6):
            message = "Job has reached the specified backoff limit"
            found = self._conclude(job, found, "Failed", "BackoffLimitExceeded", message)
        if found:
            status["conditions"] = found
        if status != before:
            await self.client.update({**job, "status": status}, subresource="status")

    def _conclude(self, job: Obj, found: list[Obj], kind: str, reason: str, message: str) -> list[Obj]:
        now = self.clock.timestamp()
        first = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
        for name in (first, kind):
            found = conditions.put(found, name, "True", now=now, reason=reason, message=message)
        found = [{"lastProbeTime": now, **condition} for condition in found]
        if kind == "Complete":
            self.recorder.normal(job, "Completed", "Job completed")
        else:
            self.recorder.warning(job, reason, message)
        return found

    async def _clean_up(self, job: Obj) -> float | None:
        """A Job with ttlSecondsAfterFinished goes by itself."""
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return None
        end = max(c["lastTransitionTime"] for c in job["status"]["conditions"])
        age = (self.clock.now() - pods.moment(end)).total_seconds() * self.clock.speed
        if age < ttl:
            return float(ttl - age)
        metadata = job["metadata"]
        where = (metadata["name"], metadata["namespace"])
        await self.client.delete("batch/v1", "Job", *where, uid=metadata["uid"], propagation="Foreground")
        return None


def finished(job: Obj) -> bool:
    return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")


def tally(own: list[Obj]) -> tuple[int, int, int]:
    """How many of the pods have succeeded, have failed, and are still to end."""
    done = sum(pods.phase(pod) == "Succeeded" for pod in own)
    failed = sum(pods.phase(pod) == "Failed" for pod in own)
    return done, failed, sum(pods.active(pod) for pod in own)


def _completions(spec: Obj, done: int) -> int:
    """Without `completions`, one success is enough."""
    found = spec.get("completions")
    return int(found) if found is not None else max(1, done)
