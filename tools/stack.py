"""Sandbox and Airflow on loopback, for the demo and the scenario tests. Everything it writes is below one folder."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tools.airflow_api import AirflowApi
from tools.cluster_api import ClusterApi
from tools.processes import Process, ProcessError, free_ports, stop_all

ROOT = Path(__file__).resolve().parent.parent
AIRFLOW_PARTS: Mapping[str, tuple[str, ...]] = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),  # its own log server would listen on all addresses; ours does it for all
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
LOG_SERVER = ("-m", "uvicorn", "--factory", "airflow.utils.serve_logs.log_server:get_app", "--host", "127.0.0.1")
USER = "admin"
PATIENCE = 240.0  # seconds that a part may take to come up: a busy machine takes a while


class Stack:
    """Both, started and stopped together. `speed` divides the sandbox's durations."""

    def __init__(self, home: Path, *, speed: float = 10.0, root: Path = ROOT) -> None:
        self.home, self.speed, self.root = home, speed, root
        self.password = secrets.token_urlsafe(9)
        self.webhook_secret = secrets.token_urlsafe(24)
        self.port, self._log_port = free_ports(2)
        self.parts: dict[str, Process] = {}
        self.sandbox: dict[str, Any] = {}
        self.env = self._base_env()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def airflow_home(self) -> Path:
        return self.home / "airflow"

    def start_sandbox(self) -> None:
        """The simulated cluster, ready when this returns."""
        state = self.home / "sandbox"
        command = [sys.executable, "-m", "sandbox", "up", "--port", "0", "--state", str(state)]
        command += ["--kubeconfig", str(self.kubeconfig), "--speed", f"{self.speed:g}"]
        self._start("sandbox", command)
        self.parts["sandbox"].until((state / "state.json").exists, seconds=PATIENCE)
        self.sandbox = json.loads((state / "state.json").read_text())
        self.env |= self._sandbox_env()

    def lock_charts(self) -> None:
        """A lock file of the sandbox's chart repository, since its stand-ins are not the real archives."""
        self.run([sys.executable, "-m", "tools.lock"])

    def start_airflow(self) -> None:
        """Database, then the four processes; returns when the API answers and every DAG is known."""
        self._write_login()
        self.run(self._airflow("db", "migrate"))
        self._start("log-server", [sys.executable, *LOG_SERVER, "--port", str(self._log_port)])
        for part in AIRFLOW_PARTS:
            self.start_part(part)
        self.parts["api-server"].until(self._api_is_up, seconds=PATIENCE)
        self.api.login(USER, self.password)
        self.parts["dag-processor"].until(lambda: self._dag_files() <= len(self.api.dags()), seconds=PATIENCE)

    def subscribe(self) -> None:
        """From now on the sandbox's registry tells Airflow of every push."""
        headers = {"Authorization": f"Bearer {self.webhook_secret}"}
        url = f"{self.url}/meshflow/hooks/distribution"
        self.cluster.control("POST", "subscribers", {"url": url, "headers": headers})

    def start_part(self, part: str) -> None:
        """One of Airflow's processes, also again after it was killed."""
        self._start(part, self._airflow(part, *AIRFLOW_PARTS[part]))

    def run(self, command: list[str]) -> str:
        """Run to the end; ProcessError with the output when it fails."""
        done = subprocess.run(command, env=self.env, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProcessError(
                f"{' '.join(command[-3:])} failed ({done.returncode}):\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return done.stdout

    def stop(self) -> None:
        """Stop everything, Airflow and sandbox at once."""
        for name in ("_api", "_cluster"):
            if client := self.__dict__.pop(name, None):
                client.close()
        stop_all(list(self.parts.values()))

    def dead(self) -> list[str]:
        """The parts that ended by themselves."""
        return [name for name, part in self.parts.items() if not part.running]

    @property
    def api(self) -> AirflowApi:
        if not hasattr(self, "_api"):
            self._api = AirflowApi(self.url)
        return self._api

    @property
    def cluster(self) -> ClusterApi:
        if not hasattr(self, "_cluster"):
            self._cluster = ClusterApi(self.kubeconfig)
        return self._cluster

    def _start(self, name: str, command: list[str]) -> None:
        log = self.home / "logs" / f"{name}.log"
        self.parts[name] = Process(name, command, env=self.env, log=log, cwd=self.root)
        self.parts[name].start()

    def _airflow(self, *words: str) -> list[str]:
        return [str(Path(sys.executable).parent / "airflow"), *words]

    def _api_is_up(self) -> bool:
        try:
            warm = httpx.get(
                f"{self.url}/execution/health", timeout=20
            )  # builds the task API: else the first task waits
            return warm.status_code == 200 and httpx.get(f"{self.url}/api/v2/version", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def _dag_files(self) -> int:
        services = [entry for entry in (self.root / "include/manifests/services").iterdir() if entry.is_dir()]
        return len(list((self.root / "dags").glob("*.py"))) - 1 + len(services)

    def _write_login(self) -> None:
        path = self.airflow_home / "passwords.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps({USER: self.password}))

    def _base_env(self) -> dict[str, str]:
        own = ("AIRFLOW", "MESHFLOW_", "PYTHONDONTWRITEBYTECODE", "KUBECONFIG")
        env = {key: value for key, value in os.environ.items() if not key.startswith(own)}
        return env | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}",
            "PYTHONPATH": f"{self.root / 'plugins'}{os.pathsep}{self.root}",
            "PYTHONPYCACHEPREFIX": str(self.root / ".meshflow" / "pycache"),
            "MESHFLOW_HOME": str(self.home / "meshflow"),
            "MESHFLOW_CHARTS_LOCK": str(self.home / "charts.lock"),
            "AIRFLOW_HOME": str(self.airflow_home),
            "AIRFLOW_CONN_MESHFLOW_WEBHOOK": json.dumps({"conn_type": "generic", "password": self.webhook_secret}),
            **airflow_settings(self),
        }

    def _sandbox_env(self) -> dict[str, str]:
        connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(self.kubeconfig)}}
        return {
            "MESHFLOW_CHART_MIRROR": self.sandbox["charts"],
            "MESHFLOW_REGISTRY_MIRROR": self.sandbox["registry"],
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(connection),
        }


def loopback() -> str:
    """The host name that this Airflow goes by."""
    return "127.0.0.1"


def airflow_settings(stack: Stack) -> dict[str, str]:
    """Airflow tuned for one small machine: what is not said here is Airflow's default."""
    settings = {
        "CORE__DAGS_FOLDER": str(stack.root / "dags"),
        "CORE__PLUGINS_FOLDER": str(stack.root / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "8",
        "CORE__EXECUTION_API_SERVER_URL": f"{stack.url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(stack.airflow_home / "passwords.json"),
        "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(stack.port),
        "API__BASE_URL": stack.url,
        "API__DEFAULT_WRAP": "True",  # our log lines are sentences: the end matters
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "API__SECRET_KEY": secrets.token_hex(32),
        "CORE__HOSTNAME_CALLABLE": "tools.stack.loopback",  # where the log server is asked
        "LOGGING__WORKER_LOG_SERVER_PORT": str(stack._log_port),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(stack._log_port),
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{stack.airflow_home / 'airflow.db'}",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "3",
        # So late (5 seconds by default) a worker may notice that its task's process has ended. Until then it holds its
        # slot, and the scheduler takes a task that was resumed meanwhile for one that was killed, and tries it again.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {f"AIRFLOW__{key}": value for key, value in settings.items()}
