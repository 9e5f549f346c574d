"""Child processes that never outlive us: each in a session of its own, stopped by its process group."""

from __future__ import annotations

import atexit
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tools import guard


class ProcessError(RuntimeError):
    """A child did not come up; the message has the end of its log."""


class Process:
    """One child with its log file."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> None:
        self.name, self.command, self.env, self.log, self.cwd = name, list(command), dict(env), log, cwd
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it; its output goes to the end of the log file."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _guard.watch(self._child.pid)

    def kill(self) -> None:
        """SIGKILL to the whole group, at once: what a crash looks like."""
        if self._child:
            guard.tell(self._child.pid, signal.SIGKILL)
            self._child.wait()
            _guard.forget(self._child.pid)

    def ask_to_stop(self) -> None:
        """SIGTERM to the process itself, which ends its own children."""
        if self.running and self._child:
            self._child.terminate()

    def wait_stopped(self, deadline: float) -> None:
        """Wait until `deadline` (time.monotonic), then SIGKILL whatever of the group is left."""
        while self.running and time.monotonic() < deadline:
            time.sleep(0.05)
        self.kill()

    def until(self, there: Callable[[], bool], *, seconds: float) -> None:
        """Wait until `there()`; ProcessError when the child ends before, or `seconds` pass."""
        deadline = time.monotonic() + seconds
        while not there():
            if not self.running:
                raise ProcessError(f"{self.name} ended while starting; the end of {self.log}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{self.name} was not ready after {seconds:.0f} s; the end of {self.log}:\n{self.tail()}"
                )
            time.sleep(0.1)

    def tail(self, lines: int = 15) -> str:
        """The end of the log, for an error message."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def stop_all(processes: Sequence[Process]) -> None:
    """Ask all to stop at once, then make sure."""
    for process in processes:
        process.ask_to_stop()
    deadline = time.monotonic() + guard.GRACE
    for process in processes:
        process.wait_stopped(deadline)


def free_ports(count: int) -> list[int]:
    """Different loopback ports that nobody uses now.

    They are from below the range that the system gives out by itself: one of that range could be taken by anybody's
    next connection, before it is listened on.
    """
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(range(20_000, 30_000), 10_000):
            if len(found) == count:
                break
            candidate = held.enter_context(socket.socket())
            try:
                candidate.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                continue  # taken
    return found


class _Guard:
    """One guard.py for all children of this process, started with the first of them."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def watch(self, group: int) -> None:
        """Have this process group stopped when we are gone."""
        if self._child is None:
            command = [sys.executable, "-I", "-S", str(Path(guard.__file__))]
            quiet = subprocess.DEVNULL  # it must not hold open what our output is piped into
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, text=True, start_new_session=True
            )
            atexit.register(self._end, self._child)
        self._tell(group)

    def forget(self, group: int) -> None:
        """It is stopped: its id may belong to somebody else from now on."""
        self._tell(-group)

    def _tell(self, number: int) -> None:
        if self._child and self._child.stdin:
            print(number, file=self._child.stdin, flush=True)

    @staticmethod
    def _end(child: subprocess.Popen[str]) -> None:
        child.communicate()


_guard = _Guard()
