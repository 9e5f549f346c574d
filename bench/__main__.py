"""`make bench`: prints a table, leaves nothing behind."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import against_kubectl, against_watches, cluster
from bench.comparison import table


def main() -> None:
    """All comparisons, each on the same fresh sandbox."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        with cluster.sandbox(folder) as api:
            console.print("applying and planning …", style="dim")
            rows = asyncio.run(against_kubectl.compare(api, folder))
            console.print("waiting …", style="dim")
            rows += against_watches.compare(api, folder)
    console.print(table(rows))


if __name__ == "__main__":
    main()
