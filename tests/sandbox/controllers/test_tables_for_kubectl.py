"""What `kubectl get` prints."""

from datetime import UTC, datetime

import pytest

from sandbox.api import columns, json_path, tables

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (18720, "5h12m"),
        (90000, "25h"),
        (273600, "3d4h"),
        (864000, "10d"),
        (70000000, "2y80d"),
        (-5, "<invalid>"),
    ],
)
def test_ages_are_worded_as_kubectl_does(seconds, words):
    assert tables.duration(seconds) == words


def metadata(name="x", **more):
    return {"name": name, "creationTimestamp": "2026-01-01T23:59:00Z", **more}


def cells(group, kind, obj, *, wide=False):
    found = columns.of(group, kind)
    row = tables.row(obj, columns=found, now=NOW)["cells"]
    return {c.name: cell for c, cell in zip(found, row, strict=True) if wide or not c.priority}


def test_services_show_addresses_and_ports():
    spec = {"type": "LoadBalancer", "clusterIP": "10.96.0.20", "selector": {"app": "x"}}
    spec["ports"] = [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]
    shown = cells("", "Service", {"metadata": metadata(), "spec": spec, "status": {"loadBalancer": {}}}, wide=True)
    assert (shown["External-IP"], shown["Port(s)"], shown["Selector"]) == ("<pending>", "80:30080/TCP,53/UDP", "app=x")


@pytest.mark.parametrize("source", ["resource", "containerResource"])
def test_an_autoscaler_shows_measure_and_goal(source):
    metric = {source: {"name": "cpu", "target": {"averageUtilization": 80}}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3, "metrics": [metric]}
    assert (
        cells("autoscaling", "HorizontalPodAutoscaler", {"metadata": metadata(), "spec": spec})["Targets"]
        == "cpu: <unknown>/80%"
    )


def test_a_kind_without_columns_has_its_name_and_birth():
    shown = cells("example.test", "Thing", {"metadata": metadata()})
    assert shown == {"Name": "x", "Created At": "2026-01-01T23:59:00Z"}


def test_printer_columns_of_a_definition_are_read():
    printers = [
        {"name": "Status", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Weight", "type": "integer", "jsonPath": ".status.canaryWeight"},
        {"name": "Hosts", "type": "string", "jsonPath": ".spec.hosts"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    obj = {"metadata": metadata(), "spec": {"hosts": ["a", "b"]}, "status": {"phase": "Progressing"}}
    made = tables.table([obj], columns=tables.custom(printers), now=NOW)
    assert [column["name"] for column in made["columnDefinitions"]] == ["Name", "Status", "Weight", "Hosts", "Age"]
    assert made["rows"][0]["cells"] == ["x", "Progressing", None, '["a","b"]', "60s"]
    assert made["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.items[1].name", ["b"]),
        (".spec.items[*].name", ["a", "b"]),
        ('.spec.items[?(@.name=="b")].value', [2]),
        (".metadata.labels['example.test/x']", ["y"]),
        (".metadata.labels.example\\.test/x", ["y"]),
        (".absent.field", []),
        ("{.spec.items[0].value}", [1]),
    ],
)
def test_json_paths(path, found):
    obj = {
        "metadata": {"labels": {"example.test/x": "y"}},
        "spec": {"items": [{"name": "a", "value": 1}, {"name": "b", "value": 2}]},
    }
    assert json_path.find(obj, json_path.parse(path)) == found
