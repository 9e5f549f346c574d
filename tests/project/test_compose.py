"""docker-compose.yaml as docker compose itself reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SECRETS = (
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_SECRET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_ADMIN_PASSWORD",
)


def compose() -> list[str]:
    """The command, whichever of its two forms is there."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = ["docker", "compose"]
    if (
        shutil.which("docker")
        and subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0
    ):
        return plugin
    pytest.skip("neither docker-compose nor docker compose is installed")


def config(tmp_path: Path, **secrets: str) -> subprocess.CompletedProcess[str]:
    """`docker compose config` with only these secrets in the environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **secrets}
    command = [*compose(), "-f", str(ROOT / "docker-compose.yaml"), "config"]
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)


def declared() -> dict[str, Any]:
    """The services as they stand in the file."""
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    return services


def test_config_accepts_the_file_when_the_secrets_are_set(tmp_path: Path) -> None:
    """`docker compose config` passes."""
    done = config(tmp_path, **dict.fromkeys(SECRETS, "value"))
    assert done.returncode == 0, done.stderr


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    """Without a secret nothing starts, and the message says which one and where to look."""
    done = config(tmp_path, **dict.fromkeys(SECRETS[:2], "value"))
    assert done.returncode != 0
    assert ".env.example" in done.stderr


@pytest.mark.parametrize("name", sorted(declared().keys() - {"init"}))
def test_every_long_running_service_has_a_healthcheck(name: str) -> None:
    """A container that hangs is seen."""
    assert declared()[name]["healthcheck"]["test"], name


def test_no_secret_stands_in_the_file() -> None:
    """Every password and key is a reference to the environment."""
    text = (ROOT / "docker-compose.yaml").read_text()
    for secret in SECRETS:
        assert f"${{{secret}" in text, secret


def test_dags_plugins_and_include_are_mounted_read_only() -> None:
    """The pipelines of a checkout are what runs, and no task can change them."""
    volumes = declared()["worker"]["volumes"]
    assert {f"./{name}:/opt/airflow/{name}:ro" for name in ("dags", "plugins", "include")} <= set(volumes)


AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")


@pytest.mark.parametrize("name", ["init", *AIRFLOW])
def test_every_part_of_airflow_sees_the_same_home_and_the_same_secrets(name: str) -> None:
    """The API server shows the records that workers write; a token signed by one is taken by the others."""
    service = declared()[name]
    assert "home:/opt/airflow/home" in service["volumes"], "a folder of the host would belong to root"
    own = {"ADMIN_USER", "ADMIN_PASSWORD", "DUMB_INIT_SETSID"}
    shared = {key: value for key, value in service["environment"].items() if key not in own}
    assert shared == declared()["scheduler"]["environment"]


def test_the_image_makes_the_folder_that_the_volume_takes_its_owner_from() -> None:
    """Otherwise only root could write records."""
    assert "mkdir -m 2775 /opt/airflow/home" in (ROOT / "Dockerfile").read_text()


def test_the_database_is_not_called_ready_while_it_is_set_up() -> None:
    """Its first start answers on the socket alone, and `init` would fail at the port."""
    assert "127.0.0.1" in declared()["postgres"]["healthcheck"]["test"]


def test_a_worker_has_time_to_finish_its_task() -> None:
    """Docker kills after ten seconds otherwise."""
    assert declared()["worker"]["stop_grace_period"] == "5m"
