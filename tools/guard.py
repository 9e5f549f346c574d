"""Stops process groups whose starter is gone. processes.py starts it and tells it their ids on standard input.

A line `123` is a group to look after, `-123` one that was stopped by its starter. The input ends when the starter does,
by kill -9 too: closing it is what no way of dying can leave out.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE = 8.0  # seconds between SIGTERM and SIGKILL


def main() -> None:
    """Read until the input ends; then stop the groups that are left."""
    groups: set[int] = set()
    for line in sys.stdin:
        number = int(line)
        (groups.add if number > 0 else groups.discard)(abs(number))
    for group in groups:
        tell(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while any(tell(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.1)
    for group in groups:
        tell(group, signal.SIGKILL)


def tell(group: int, number: int) -> bool:
    """Whether somebody of the group was there to get the signal (0: only look)."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
