"""Packed charts, and the repository that serves them."""

import hashlib
import io
import tarfile
from pathlib import Path

import httpx
import pytest
import yaml

from sandbox.charts import packing
from sandbox.charts.repository import Repository


@pytest.fixture
def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Repository().app), base_url="http://charts")


async def test_the_index_leads_to_archives_with_its_digests(client: httpx.AsyncClient) -> None:
    """Every repository, every chart."""
    names = (await client.get("/")).text.split()
    assert names == ["flagger", "grafana", "istio", "kiali", "prometheus-community"]
    for repository in names:
        index = yaml.safe_load((await client.get(f"/{repository}/index.yaml")).text)
        for name, versions in index["entries"].items():
            archive = (await client.get(f"/{repository}/{versions[0]['urls'][0]}")).content
            assert hashlib.sha256(archive).hexdigest() == versions[0]["digest"]
            with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
                assert f"{name}/Chart.yaml" in opened.getnames()


@pytest.mark.parametrize("path", ["/nobody/index.yaml", "/istio/base-9.9.9.tgz", "/istio/../secrets"])
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    """404, for repositories and archives."""
    assert (await client.get(path)).status_code == 404


def test_packing_does_not_depend_on_the_files_times_or_modes(tmp_path: Path) -> None:
    """Two copies of a chart have one digest."""
    digests = set()
    for copy, mode in (("one", 0o600), ("two", 0o644)):
        folder = tmp_path / copy / "shop" / "till"
        (folder / "templates").mkdir(parents=True)
        for name, text in {
            "Chart.yaml": "name: till\nversion: 1.0.0\n",
            "templates/a.yaml": "kind: ConfigMap\n",
        }.items():
            (folder / name).write_text(text)
            (folder / name).chmod(mode)
        digests.add(packing.pack(folder).digest)
    assert len(digests) == 1
