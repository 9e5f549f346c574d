"""Run the contract suite of the Kubernetes API against a fresh sandbox.

    python -m tools.contract FOLDER

Fails on any case that fails or is skipped and is not named in sandbox/README.md (the block `contract-known-failures`),
and on a name there that passes: then it has no business being there any more.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tools.processes import Process, stop_all
from tools.stack import ROOT

KNOWN = re.compile(r"```contract-known-failures\n(.*?)```", re.DOTALL)


def main() -> int:
    """0 when exactly the named cases fail."""
    suite = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="meshflow-contract-") as folder:
        home = Path(folder)
        sandbox = _sandbox(home)
        try:
            code = _pytest(suite, home)
        finally:
            stop_all([sandbox])
        return _judge(home / "report.xml", code)


def known_failures() -> set[str]:
    """The cases that sandbox/README.md names, as `file::test`."""
    found = KNOWN.search((ROOT / "sandbox" / "README.md").read_text())
    return {line.split()[0] for line in (found[1] if found else "").splitlines() if line.strip()}


def _sandbox(home: Path) -> Process:
    command = [sys.executable, "-m", "sandbox", "up", "--crds", "--state", str(home / "state")]
    command += ["--kubeconfig", str(home / "kubeconfig")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = Process("sandbox", command, env=env, log=home / "sandbox.log", cwd=ROOT)
    process.start()
    process.until((home / "kubeconfig").exists, seconds=120)
    return process


def _pytest(suite: Path, home: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    command += [f"--junitxml={home / 'report.xml'}", str(suite)]
    env = {**os.environ, "KUBECONFIG": str(home / "kubeconfig"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=suite, env=env, check=False).returncode


def _judge(report: Path, code: int) -> int:
    if not report.exists():
        print(f"the contract suite did not run (pytest ended with {code})")
        return 1
    cases = list(ElementTree.parse(report).iter("testcase"))
    bad = {
        _name(case) for case in cases if any(case.find(word) is not None for word in ("failure", "error", "skipped"))
    }
    known = known_failures()
    for name in sorted(bad - known):
        print(f"not in sandbox/README.md: {name}")
    for name in sorted(known - bad):
        print(f"in sandbox/README.md, but it passes: {name}")
    print(f"{len(cases) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad ^ known or not cases else 0


def _name(case: ElementTree.Element) -> str:
    module = (case.get("classname") or "").rpartition(".")[2]
    return f"{module}.py::{case.get('name')}"


if __name__ == "__main__":
    sys.exit(main())
