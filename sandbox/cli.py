"""The command line: up, down, status, and the verbs that other parts bring.

Everything but `up` speaks the control API of a running sandbox, found by the state file that `up` writes.
"""

import argparse
import asyncio
import importlib.util
import json
import logging
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Obj = dict[str, Any]
STATE = Path(".meshflow/sandbox")
STATE_FILE = "state.json"
START_LIMIT = 60.0  # seconds that `up --detach` waits until the sandbox answers


class Verb(NamedTuple):
    """A word of the command line: `arguments` declares its options, `run` returns the exit code."""

    name: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class Failure(Exception):
    """What the person at the terminal reads; the exit code is 1."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__.splitlines()[0])
    words = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in verbs():
        word = words.add_parser(verb.name, help=verb.summary, description=verb.summary)
        word.add_argument("--state", type=Path, default=STATE, help=f"folder of the state file (default {STATE})")
        verb.arguments(word)
        word.set_defaults(run=verb.run)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except Failure as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return code


def verbs() -> list[Verb]:
    """Return the verbs of this file and those of the parts that bring some (`VERBS` in their modules)."""
    found = [
        Verb("up", "start a simulated cluster", _up_arguments, _up),
        Verb("down", "stop it", lambda parser: None, _down),
        Verb("status", "show addresses, counters and objects", _status_arguments, _status),
    ]
    for module in ("sandbox.registry", "sandbox.traffic", "sandbox.faults"):
        if importlib.util.find_spec(module) is not None:
            found += getattr(importlib.import_module(module), "VERBS", ())
    return found


def call(state: Path, method: str, path: str, body: Obj | None = None) -> Any:
    """Ask the control API of the running sandbox. Raises Failure with a sentence."""
    found = read_state(state)
    request = urllib.request.Request(f"{found['server']}/_sandbox/{path}", method=method)
    request.add_header("Authorization", f"Bearer {found['token']}")
    request.add_header("Content-Type", "application/json")
    data = json.dumps(body).encode() if body is not None else None
    context = ssl.create_default_context(cadata=found["ca"])
    try:
        with urllib.request.urlopen(request, data, timeout=30, context=context) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            raise Failure(json.loads(text)["error"]) from error
        except (ValueError, KeyError, TypeError):
            raise Failure(f"{method} {path}: {error.code} {text[:300]}") from error
    except (urllib.error.URLError, OSError) as error:
        raise Failure(
            f"no sandbox answers at {found['server']}: {error}; start one with `python -m sandbox up`"
        ) from error


def read_state(state: Path) -> Obj:
    """Return what `up` wrote. Raises Failure when there is no running sandbox."""
    try:
        found: Obj = json.loads((state / STATE_FILE).read_text())
    except (OSError, ValueError) as error:
        raise Failure(f"no sandbox is running here ({state / STATE_FILE}: {error})") from error
    return found


def _up_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="port of the API server (default: a free one)")
    parser.add_argument("--kubeconfig", type=Path, help="where to write the kubeconfig (default: in the state folder)")
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster than real time delays pass")
    parser.add_argument("--crds", action="store_true", help="preload the CRDs of Istio and Flagger")
    parser.add_argument("--detach", action="store_true", help="return once it is ready, and leave it running")
    parser.add_argument("--verbose", action="store_true", help="log more")


def _up(arguments: argparse.Namespace) -> int:
    if arguments.speed <= 0:
        raise Failure("--speed must be above 0")
    _refuse_second(arguments.state)
    if arguments.detach:
        return _detach(arguments)
    level = logging.INFO if arguments.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return asyncio.run(_serve(arguments))


def _refuse_second(state: Path) -> None:
    """Raise Failure when a sandbox of this state folder is running; a state file left by a crash is ignored."""
    try:
        found = read_state(state)
    except Failure:
        return
    if _alive(int(found["pid"])):
        raise Failure(f"one is running already at {found['server']} (pid {found['pid']}); stop it with `down`")
    (state / STATE_FILE).unlink(missing_ok=True)


async def _serve(arguments: argparse.Namespace) -> int:
    from sandbox.cluster import Cluster

    cluster = Cluster(speed=arguments.speed, crds=arguments.crds)
    try:
        await cluster.start(port=arguments.port)
    except OSError as error:
        await cluster.close()
        raise Failure(f"cannot listen on port {arguments.port}: {error.strerror}") from error
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cluster.stop)
    kubeconfig = _write_state(arguments, cluster)
    print(f"sandbox: {cluster.url}\nexport KUBECONFIG={kubeconfig}", flush=True)
    try:
        await cluster.stopping.wait()
    finally:
        (arguments.state / STATE_FILE).unlink(missing_ok=True)
        await cluster.close()
    return 0


def _write_state(arguments: argparse.Namespace, cluster: Any) -> Path:
    arguments.state.mkdir(parents=True, exist_ok=True)
    kubeconfig: Path = (arguments.kubeconfig or arguments.state / "kubeconfig").absolute()
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    _write_secret(kubeconfig, yaml.safe_dump(cluster.kubeconfig(), sort_keys=False))
    state = {
        "server": cluster.url,
        "token": cluster.access.token,
        "ca": cluster.authority.pem.decode(),
        "kubeconfig": str(kubeconfig),
        "pid": os.getpid(),
        "speed": cluster.clock.speed,
        **cluster.facts,
    }
    _write_secret(arguments.state / STATE_FILE, json.dumps(state, indent=1))
    return kubeconfig


def _write_secret(path: Path, text: str) -> None:
    """Write a file at once (a reader sees the old or the new one) that only its owner can read."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def _detach(arguments: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "sandbox", "up", "--state", str(arguments.state), "--port", str(arguments.port)]
    command += ["--speed", str(arguments.speed)]
    command += ["--crds"] if arguments.crds else []
    command += ["--verbose"] if arguments.verbose else []
    command += ["--kubeconfig", str(arguments.kubeconfig)] if arguments.kubeconfig else []
    arguments.state.mkdir(parents=True, exist_ok=True)
    (arguments.state / STATE_FILE).unlink(missing_ok=True)
    log = arguments.state / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    deadline = time.monotonic() + START_LIMIT
    while not (arguments.state / STATE_FILE).exists():
        if process.poll() is not None:
            raise Failure(f"it ended at once: {log.read_text()[-2000:].strip()}")
        if time.monotonic() > deadline:
            process.terminate()
            raise Failure(f"it was not ready within {START_LIMIT:.0f} s; see {log}")
        time.sleep(0.02)
    found = read_state(arguments.state)
    print(f"sandbox: {found['server']} (pid {found['pid']})\nexport KUBECONFIG={found['kubeconfig']}")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    pid = int(read_state(arguments.state)["pid"])
    if not _alive(pid):
        (arguments.state / STATE_FILE).unlink(missing_ok=True)
        print("sandbox: it was not running any more")
        return 0
    call(arguments.state, "POST", "stop", {})
    deadline = time.monotonic() + START_LIMIT
    while _alive(pid):
        if time.monotonic() > deadline:
            raise Failure(f"process {pid} does not end")
        time.sleep(0.02)
    print("sandbox: stopped")
    return 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # a zombie that its parent has not collected yet is gone as well
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def _status(arguments: argparse.Namespace) -> int:
    found = call(arguments.state, "GET", "status")
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    for key, value in found.items():
        if isinstance(value, dict):
            print(f"{key}:")
            for name, inner in value.items():
                print(f"  {name}: {inner}")
        else:
            print(f"{key}: {value}")
    return 0
