"""The verb `fault` of the command line."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.cli import Verb

Obj = dict[str, Any]

EXAMPLES = """examples:
  python -m sandbox fault error --verb list --resource pods --code 429 --retry-after 2 --count 10
  python -m sandbox fault error --code 503 --rate 0.3 --seconds 20
  python -m sandbox fault reset --verb patch --count 1
  python -m sandbox fault watches --resource canaries --expire
  python -m sandbox fault pods --image '*podinfo@sha256:*' --change crash_after=1
  python -m sandbox fault webhooks --seconds 10
  python -m sandbox fault clock --by 3600
  python -m sandbox fault list
  python -m sandbox fault clear"""
REQUESTS = ("error", "delay", "hang", "reset")
WORDS = (*REQUESTS, "watches", "pods", "webhooks", "clock")
GIVEN = (
    *("verb", "resource", "namespace", "name", "user", "rate", "code", "retry_after", "message", "by", "expire"),
    *("pod", "image", "container", "count", "seconds"),
)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("kind", choices=(*WORDS, "list", "clear"), help="what goes wrong, or list, or clear")
    parser.add_argument("id", nargs="?", type=int, help="with clear: the fault to end (default: all)")
    bounds = parser.add_argument_group("how long (the first that is reached; default: until it is cleared)")
    bounds.add_argument("--count", type=int, help="hits")
    bounds.add_argument("--seconds", type=float, help="seconds of the sandbox")
    requests = parser.add_argument_group("which requests (error, delay, hang, reset) or watches; patterns with * and ?")
    for word in ("verb", "resource", "namespace", "name", "user"):
        requests.add_argument(f"--{word}")
    requests.add_argument("--rate", type=float, help="share of them, 0 to 1 (default 1)")
    effect = parser.add_argument_group("what happens")
    effect.add_argument("--code", type=int, help="status of error (default 503)")
    effect.add_argument("--retry-after", type=int, help="seconds in the header of error (429: default 1)")
    effect.add_argument("--message", help="text of error")
    effect.add_argument("--by", type=float, help="seconds of delay or clock")
    effect.add_argument("--expire", action="store_true", default=None, help="watches end with 410 Expired")
    pods = parser.add_argument_group("which containers (pods); patterns with * and ?")
    for word in ("pod", "image", "container"):
        pods.add_argument(f"--{word}")
    pods.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="crash_after=1, ready=30, pull_error=TEXT, never_ready=true, start=5, …",
    )


def _run(arguments: argparse.Namespace) -> int:
    from sandbox import cli

    if arguments.kind == "list":
        answer = cli.call(arguments.state, "GET", "faults")["faults"]
    elif arguments.kind == "clear":
        answer = cli.call(arguments.state, "DELETE", "faults", {"id": arguments.id})["cleared"]
    else:
        answer = [cli.call(arguments.state, "POST", "faults", _body(arguments))]
    for fault in answer:
        sys.stdout.write(json.dumps(fault) + "\n")
    return 0


def _body(arguments: argparse.Namespace) -> Obj:
    given = {name: getattr(arguments, name) for name in GIVEN}
    body: Obj = {"kind": arguments.kind} | {name: value for name, value in given.items() if value is not None}
    if arguments.change:
        body["changes"] = dict(_change(text) for text in arguments.change)
    return body


def _change(text: str) -> tuple[str, Any]:
    """`crash_after=1` as a name and a value: JSON where it is some, else the text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _verbs() -> tuple[Verb, ...]:
    from sandbox.cli import Verb

    return (Verb("fault", "make something go wrong, for a while", _arguments, _run),)


VERBS = _verbs()
