"""`make demo`: an empty simulated cluster becomes a meshed application, releases and drift included.

Each step of the story says what it expects; with --exit the demo stops at the end and its exit code tells whether all
of it happened.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from tools.airflow_api import ENDED
from tools.processes import ProcessError
from tools.stack import ROOT, USER, Stack
from tools.summary import Row, Summary

HOME = ROOT / ".meshflow" / "demo"
LOCK = ROOT / ".meshflow" / "demo.lock"
NAMESPACE = "weather"
PODINFO = "ghcr.io/stefanprodan/podinfo"
GOOD_TAG, BAD_TAG = "demo-good", "demo-bad"
PHASES = ("install_istio", "enable_injection", "secure_mesh", "deploy_observability", "deploy_flagger")
POLICY = "/apis/security.istio.io/v1/namespaces/istio-system/peerauthentications/default"


class Unexpected(RuntimeError):
    """Something did not happen as the story says; the message is the sentence for the end."""


@dataclass
class Story:
    """The demo on one stack."""

    stack: Stack
    console: Console
    summary: Summary = field(default_factory=Summary)
    began: float = field(default_factory=time.monotonic)
    told: bool = False

    def say(self, text: str, *, style: str = "") -> None:
        """A line of progress with the time since the start."""
        line = f"[dim]{time.monotonic() - self.began:6.1f} s[/dim]  {text}"
        self.console.print(line, style=style, highlight=False, soft_wrap=not self.console.is_terminal)

    def tell(self) -> None:
        """The whole story; Unexpected when a step ends otherwise than it should."""
        self.bring_up()
        self.bootstrap()
        self.good_release()
        self.bad_release()
        self.drift()

    def bring_up(self) -> None:
        self.say("[bold]Starting[/bold] the simulated cluster")
        self.stack.start_sandbox()
        self.stack.lock_charts()
        self.say(f"cluster ready; kubeconfig {_short(self.stack.kubeconfig)}; starting Airflow")
        self.stack.start_airflow()
        if errors := self.stack.api.import_errors():
            raise Unexpected(f"A DAG could not be imported: {errors[0]}")
        self.say(f"Airflow ready at {self.stack.url} (user {USER}, password {self.stack.password})")

    def bootstrap(self) -> None:
        """bootstrap_mesh, phase by phase."""
        run_id = self.stack.api.trigger("bootstrap_mesh", requested_by="make demo")
        self.say("[bold]bootstrap_mesh[/bold] started")
        progress = Progress(self, since=_now())
        state = ""
        for run in self.stack.api.until_ended("bootstrap_mesh", run_id, seconds=600):
            self.check_alive()
            progress.look()
            state = run["state"]
        progress.look()
        if state != "success":
            raise Unexpected(f"bootstrap_mesh ended as {state}: {self.stack.api.why('bootstrap_mesh', run_id)}")
        for dag_id in (*PHASES, *progress.rollouts(), "verify_observability"):
            self.summary.add(self.stack.api, dag_id)

    def good_release(self) -> None:
        """frontend gets a new image and is promoted."""
        image = self.push(GOOD_TAG)
        outcome = self.release("frontend", GOOD_TAG, expected="succeeded")
        primary = self.stack.cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/frontend-primary")
        runs = primary["spec"]["template"]["spec"]["containers"][0]["image"]
        if not runs.endswith(image["digest"]):
            raise Unexpected(f"frontend was promoted, but its primary runs {runs} and not {image['digest']}")
        self.say(f"frontend-primary runs {runs}", style="green")
        self.summary.rows.append(outcome)

    def bad_release(self) -> None:
        """data-analysis gets an image that fails a fifth of its requests, and is rolled back."""
        self.push(BAD_TAG, error_rate=0.2, latency_p99=900.0)
        outcome = self.release("data-analysis", BAD_TAG, expected="rolled_back")
        weights = self.stack.cluster.weights(NAMESPACE, "data-analysis")
        if weights.get("data-analysis-primary") != 100:
            raise Unexpected(f"data-analysis was rolled back, but traffic is {weights}")
        self.say("all traffic of data-analysis is on its primary", style="green")
        self.summary.rows.append(outcome)

    def drift(self) -> None:
        """Somebody weakens mutual TLS by hand; the drift check finds it, and repairs it when asked to."""
        self.stack.cluster.merge(POLICY, {"spec": {"mtls": {"mode": "PERMISSIVE"}}}, manager="kubectl-edit")
        self.say("[bold]Behind Meshflow's back[/bold]: PeerAuthentication istio-system/default set to PERMISSIVE")
        run_id, state, seconds = self.run_to_end("check_drift")
        report = self.stack.api.xcom("check_drift", run_id, "detect") or {}
        found = [line for line in report.get("drift", []) if "PeerAuthentication/istio-system/default" in line]
        if state != "failed" or not found:
            raise Unexpected(
                f"check_drift ended as {state} and reported {report.get('drift')}: the change was not found"
            )
        self.say(f"check_drift failed, as it should: {found[0]}", style="yellow")
        self.summary.rows.append(Row("check_drift", "drift found", found[0], seconds))
        run_id, state, seconds = self.run_to_end("check_drift", remediate=True)
        mode = self.stack.cluster.get(POLICY)["spec"]["mtls"]["mode"]
        if state != "success" or mode != "STRICT":
            why = self.stack.api.why("check_drift", run_id)
            raise Unexpected(f"check_drift with Repair ended as {state} and mTLS is {mode}: {why}")
        self.say("check_drift with Repair: mTLS is STRICT again", style="green")
        self.summary.rows.append(
            Row("check_drift (repair)", "repaired", "PeerAuthentication/istio-system/default", seconds)
        )

    def push(self, tag: str, *, error_rate: float = 0.0, latency_p99: float = 120.0) -> dict[str, Any]:
        """An image of the sandbox's registry whose pods will behave so."""
        body = {"image": f"{PODINFO}:{tag}", "error_rate": error_rate, "latency_p99": latency_p99}
        pushed: dict[str, Any] = self.stack.cluster.control("POST", "push", body)
        self.say(f"pushed {PODINFO}:{tag} ({error_rate:.0%} errors, p99 {latency_p99:.0f} ms)")
        return pushed

    def release(self, service: str, tag: str, *, expected: str) -> Row:
        """One rollout, with each weight step as it happens."""
        dag_id, began = f"rollout_{service}", time.monotonic()
        run_id = self.stack.api.trigger(dag_id, image=tag, reason="make demo", requested_by="make demo")
        self.say(f"[bold]{dag_id}[/bold] started with {tag}")
        seen: dict[str, int] = {}
        failed = 0
        tasks: dict[str, str] = {}
        for _ in self.stack.api.until_ended(dag_id, run_id, seconds=300):
            self.check_alive()
            for task, item in self.stack.api.tasks(dag_id, run_id).items():
                if item["state"] in ("deferred", "success", "failed") and tasks.get(task) != item["state"]:
                    tasks[task] = item["state"]
                    self.say(f"  {service}: {task} {item['state']}")
            weights = self.stack.cluster.weights(NAMESPACE, service)
            if weights and weights != seen:
                seen = weights
                self.say(f"  {service}: traffic {_weights(weights)}", style="cyan")
            if (count := self.stack.cluster.failed_checks(NAMESPACE, service)) > failed:
                self.say(f"  {service}: {count} failed check{'s' if count > 1 else ''}", style="yellow")
            failed = count
        decision = self.stack.api.xcom(dag_id, run_id, "follow", "outcome") or {}
        outcome = decision.get("outcome", "unknown")
        if outcome != expected:
            why = decision.get("message") or self.stack.api.why(dag_id, run_id)
            raise Unexpected(f"{dag_id} ended as {outcome}, not {expected}: {why}")
        self.say(
            f"{dag_id}: [bold]{outcome}[/bold]: {decision['message']}",
            style="green" if expected == "succeeded" else "yellow",
        )
        return Row(dag_id, outcome, decision["message"], time.monotonic() - began)

    def run_to_end(self, dag_id: str, **conf: Any) -> tuple[str, str, float]:
        """(run id, state, seconds) of a run that is waited for."""
        began = time.monotonic()
        run_id = self.stack.api.trigger(dag_id, **conf)
        self.say(f"[bold]{dag_id}[/bold] started")
        state = ""
        for run in self.stack.api.until_ended(dag_id, run_id, seconds=240):
            self.check_alive()
            state = run["state"]
        return run_id, state, time.monotonic() - began

    def check_alive(self) -> None:
        """Unexpected when a process of the stack died."""
        if dead := self.stack.dead():
            part = self.stack.parts[dead[0]]
            raise Unexpected(f"{part.name} ended by itself; the end of {_short(part.log)}:\n{part.tail()}")


class Progress:
    """What the runs below bootstrap_mesh do, told once each."""

    def __init__(self, story: Story, *, since: str) -> None:
        self.story, self.since = story, since
        self.told: dict[tuple[str, str], str] = {}

    def look(self) -> None:
        """Say which tasks ended and which runs began or ended since the last look."""
        api = self.story.stack.api
        for run in api.get("dags/~/dagRuns", start_date_gte=self.since, limit=100, order_by="start_date")["dag_runs"]:
            dag_id, run_id, state = run["dag_id"], run["dag_run_id"], run["state"]
            if dag_id == "bootstrap_mesh":
                continue
            key = (dag_id, "")
            if self.told.get(key) in ENDED:
                continue
            for task, item in api.tasks(dag_id, run_id).items():
                if (
                    item["state"] in ("success", "failed", "deferred")
                    and self.told.get((dag_id, task)) != item["state"]
                ):
                    self.told[(dag_id, task)] = item["state"]
                    self.story.say(f"  {dag_id}: {task} {item['state']}")
            if state in ENDED and self.told.get(key) != state:
                self.told[key] = state
                took = f" in {run['duration']:.1f} s" if run.get("duration") else ""
                self.story.say(f"{dag_id}: [bold]{state}[/bold]{took}", style="green" if state == "success" else "red")

    def rollouts(self) -> list[str]:
        """The rollout DAGs that ran, sorted."""
        return sorted(dag_id for dag_id, task in self.told if dag_id.startswith("rollout_") and not task)


def main() -> int:
    """0 when the story went as told (or was stopped by Ctrl-C after it), 1 otherwise."""
    arguments = _parser().parse_args()
    if arguments.stop:
        return _stop_running()
    console = Console(width=None if sys.stdout.isatty() else 140)
    with _only_one() as free:
        if not free:
            console.print(
                f"A demo runs in this checkout already (process {LOCK.read_text()}); stop it with Ctrl-C there."
            )
            return 1
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
        return _run(Story(Stack(HOME, speed=arguments.speed), console), stay=not arguments.exit)


def _run(story: Story, *, stay: bool) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)  # SIGINT too: a shell starts what is in the background without it
    try:
        return _told(story, stay=stay)
    except KeyboardInterrupt:
        story.say("stopping")
        return 0 if story.told else 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        story.stack.stop()
        story.say("everything is stopped")


@contextmanager
def _only_one() -> Iterator[bool]:
    """Whether this is the only demo of the checkout; the lock goes with the process, however it ends."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield True


def _stop_running() -> int:
    """Stop the demo of this checkout, if one runs, and wait until it is gone."""
    with _only_one() as free:
        if free:
            return 0
    os.kill(int(LOCK.read_text()), signal.SIGTERM)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with _only_one() as free:
            if free:
                return 0
        time.sleep(0.2)
    return 1


def _told(story: Story, *, stay: bool) -> int:
    try:
        story.tell()
        story.told = True
        story.summary.print(story.console)
        story.say("[bold green]Everything happened as expected.[/bold green]")
        if stay:
            login = f"user {USER}, password {story.stack.password}"
            story.say(f"Airflow: {story.stack.url} ({login}); Ctrl-C stops everything")
            _wait_for_ctrl_c(story.check_alive)
    except (Unexpected, ProcessError, TimeoutError, httpx.HTTPError) as problem:
        if not story.told:
            story.summary.print(story.console)
        story.console.print(f"[bold red]Not as expected:[/bold red] {_sentence(story, problem)}", highlight=False)
        story.say(f"logs are below {_short(story.stack.home / 'logs')}")
        return 1
    return 0


def _sentence(story: Story, problem: Exception) -> str:
    """What is wrong: a request that got no answer does not say that the part it was for has died."""
    if not isinstance(problem, httpx.HTTPError):
        return str(problem)
    dead = story.stack.dead()
    what = f"{', '.join(dead)} ended by itself" if dead else "Airflow or the cluster gave no answer"
    return f"{what}: {str(problem) or type(problem).__name__}"


def _wait_for_ctrl_c(check: Callable[[], None]) -> None:
    while True:
        time.sleep(1)
        check()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--exit", action="store_true", help="stop at the end; the exit code tells whether all went as told"
    )
    parser.add_argument("--stop", action="store_true", help="stop a demo that still runs")
    parser.add_argument(
        "--speed", type=float, default=10.0, help="how much faster than real the cluster lives (default 10)"
    )
    return parser


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _short(path: Path) -> str:
    return os.path.relpath(path, ROOT)


def _weights(weights: dict[str, int]) -> str:
    return ", ".join(f"{host} {weight} %" for host, weight in weights.items())


if __name__ == "__main__":
    sys.exit(main())
