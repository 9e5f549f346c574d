"""CronJobs: a Job at each time of the schedule. Times that passed while nobody looked are not made up for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.controllers import conditions, cron, events, jobs, owners
from sandbox.controllers.base import Controller, Watched, own_key, owner_keys

Obj = dict[str, Any]


class CronJobs(Controller):
    watches = (Watched("batch/v1", "CronJob", own_key), Watched("batch/v1", "Job", owner_keys("CronJob")))

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorder = events.Recorder(self.client, self.clock, "cronjob-controller")
        self._due: dict[str, tuple[str, datetime]] = {}  # uid → schedule and its next time

    def lost(self, row: Watched, obj: Obj) -> None:
        self._due.pop(obj["metadata"]["uid"], None)

    async def reconcile(self, namespace: str | None, name: str) -> float | None:
        cron_job = await self.client.get("batch/v1", "CronJob", name, namespace)
        if cron_job is None or cron_job["metadata"].get("deletionTimestamp"):
            return None
        found = await self.client.list("batch/v1", "Job", namespace)
        own = [job for job in found if owners.controls(cron_job, job)]
        await self._forget_finished(cron_job, own)
        now, due = self.clock.now(), self._next(cron_job)
        started = None
        if due is not None and now >= due and not cron_job["spec"].get("suspend"):
            started = await self._start(cron_job, own, due)
        await self._write_status(
            cron_job, [job for job in [*own, *([started] if started else [])] if not jobs.finished(job)]
        )
        following = self._next(cron_job)
        return max(1.0, (following - now).total_seconds()) if following else None

    def _next(self, cron_job: Obj) -> datetime | None:
        """The next time that has not been served yet."""
        uid, text = cron_job["metadata"]["uid"], cron_job["spec"]["schedule"]
        if self._due.get(uid, ("", None))[0] != text:
            self._serve(uid, text)
        return self._due[uid][1] if uid in self._due else None

    def _serve(self, uid: str, text: str) -> None:
        try:
            following = cron.following(cron.parse(text), self.clock.now())
        except ValueError:
            following = None
        self._due.pop(uid, None)
        if following is not None:
            self._due[uid] = (text, following)

    async def _start(self, cron_job: Obj, own: list[Obj], due: datetime) -> Obj | None:
        metadata, spec = cron_job["metadata"], cron_job["spec"]
        self._serve(metadata["uid"], spec["schedule"])
        running = [job for job in own if not jobs.finished(job)]
        policy = spec.get("concurrencyPolicy", "Allow")
        if running and policy == "Forbid":
            self.recorder.normal(cron_job, "JobAlreadyActive", "Not starting job because prior execution is running")
            return None
        if policy == "Replace":
            await self._delete(running)
        template = spec["jobTemplate"]
        meta: Obj = {key: dict(value) for key, value in (template.get("metadata") or {}).items() if value}
        name = f"{metadata['name']}-{int(due.timestamp()) // 60}"
        meta |= {"name": name, "namespace": metadata["namespace"], "ownerReferences": [owners.reference(cron_job)]}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template["spec"]}
        made = await self.client.create(job)
        self.recorder.normal(cron_job, "SuccessfulCreate", f"Created job {name}")
        return made

    async def _forget_finished(self, cron_job: Obj, own: list[Obj]) -> None:
        for kind, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            ended = [job for job in own if conditions.is_true(job, kind)]
            ended.sort(key=lambda job: str(job["metadata"]["creationTimestamp"]))
            kept = cron_job["spec"].get(limit, 3 if kind == "Complete" else 1)
            await self._delete(ended[: max(0, len(ended) - kept)])

    async def _delete(self, found: list[Obj]) -> None:
        for job in found:
            metadata = job["metadata"]
            where = ("batch/v1", "Job", metadata["name"], metadata["namespace"])
            await self.client.delete(*where, uid=metadata["uid"], propagation="Background")

    async def _write_status(self, cron_job: Obj, running: list[Obj]) -> None:
        before, metadata = cron_job.get("status") or {}, cron_job["metadata"]
        status = {key: value for key, value in before.items() if key != "active"}
        if running:
            status["active"] = [reference(job) for job in running]
        born = [str(job["metadata"]["creationTimestamp"]) for job in running]
        if born and max(born) > str(status.get("lastScheduleTime", "")):
            status["lastScheduleTime"] = max(born)
        latest = await self.client.get("batch/v1", "CronJob", metadata["name"], metadata["namespace"])
        if latest is not None and status != before:
            await self.client.update({**latest, "status": status}, subresource="status")


def reference(job: Obj) -> Obj:
    keys = ("name", "namespace", "uid", "resourceVersion")
    return {"apiVersion": "batch/v1", "kind": "Job", **{key: job["metadata"][key] for key in keys}}
