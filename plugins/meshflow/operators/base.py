"""The common ground of our tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from meshflow import errors, settings

if TYPE_CHECKING:
    from meshflow.clients.kube import Kube

T = TypeVar("T")
FAILURE = "failure"
"""XCom key under which a failed task leaves its sentence, for the record."""

EVIDENCE = "evidence"
"""XCom key of the verdicts of a task's gates, whether they passed or not."""

WRITTEN = "written"
"""XCom key under which a task that failed half-way leaves what it wrote; also its note for its next try."""

OUTCOME = "outcome"
"""XCom key of how a release ended, left behind whether the task succeeds or not."""


class Reporting:
    """For operators: a failure of ours is one sentence in the log and in the XCom `failure`, for the record."""

    task_id: str
    log: Any

    def reporting(self, context: Context, work: Callable[[], T]) -> T:
        """`work()`, with its failure left for the record; also for the methods that a deferral resumes in."""
        try:
            return work()
        except errors.MeshflowError as problem:
            context["ti"].xcom_push(
                key=FAILURE,
                value={"task": self.task_id, "error": type(problem).__name__, "message": str(problem)},
            )
            self.log.error("%s", problem)
            raise


class MeshOperator(Reporting, BaseOperator):
    """A task on one cluster. Subclasses write `work`; its result is the task's XCom.

    One that `writes` is skipped in a dry run, also where somebody marked the task before it as done by hand.
    """

    template_fields: Sequence[str] = ("cluster",)
    writes: ClassVar[bool] = False

    def __init__(self, *, cluster: str = "{{ params.cluster }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster

    def execute(self, context: Context) -> Any:
        """What `work` returns."""
        if self.writes and context["params"].get("dry_run"):
            raise AirflowSkipException("dry run: nothing was written")
        return self.reporting(context, lambda: self.work(context))

    def work(self, context: Context) -> Any:
        """What this task is for."""
        raise NotImplementedError(type(self).__name__)

    def remembered(self, context: Context) -> dict[str, str]:
        """What an earlier try of this task wrote."""
        noted = context["task_state_store"].get(WRITTEN)
        return {reference: str(action) for reference, action in noted.items()} if isinstance(noted, dict) else {}

    @contextmanager
    def remembering(self, context: Context, written: Mapping[str, str]) -> Iterator[None]:
        """What is written meanwhile stays known if the task fails: to its next try, and to the record."""
        try:
            yield
        except errors.MeshflowError:
            if written:
                context["ti"].xcom_push(key=WRITTEN, value=dict(written))
                context["task_state_store"].set(WRITTEN, dict(written))
            raise

    def ask(self, question: Callable[[Kube], Awaitable[T]]) -> T:
        """The answer to a question about the cluster, on a connection of its own."""
        from meshflow.hooks.cluster import ClusterHook

        async def asked() -> T:
            async with ClusterHook(self.cluster).kube() as kube:
                return await question(kube)

        return asyncio.run(asked())

    @property
    def mesh(self) -> settings.Mesh:
        """The declared mesh, read anew: a change of mesh.yaml counts from the next task on."""
        return settings.load()

    def log_lines(self, text: str) -> None:
        """A text of several lines as one log entry each, which is how Airflow's log page reads best."""
        for line in text.splitlines():
            self.log.info("%s", line)
