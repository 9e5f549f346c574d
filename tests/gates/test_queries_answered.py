"""The queries ask what they claim to: held against an evaluator with a few series."""

from __future__ import annotations

import pytest

from meshflow.gates import queries
from sandbox.metrics import sorted_labels
from sandbox.standins.prometheus import evaluate
from sandbox.standins.prometheus.storage import Storage

POD = {"job": "pods", "instance": "10.0.0.1:15020"}
PAIR = {
    "source_workload": "frontend-primary",
    "source_workload_namespace": "weather",
    "destination_workload": "api-primary",
    "destination_workload_namespace": "weather",
    "reporter": "destination",
}


@pytest.fixture
def storage() -> Storage:
    """Four scrapes, 15 s apart, until 1000: a secure and an insecure series, and one that the source reports."""
    made = Storage()
    series = [
        {**PAIR, "connection_security_policy": "mutual_tls"},
        {**PAIR, "source_workload": "legacy", "connection_security_policy": "none"},
        {**PAIR, "reporter": "source", "connection_security_policy": "unknown"},
        {**PAIR, "destination_workload_namespace": "shop", "connection_security_policy": "mutual_tls"},
    ]
    for number in range(4):
        counts = [("istio_requests_total", sorted_labels(labels), 100.0 * number) for labels in series]
        made.ingest(POD, [*counts, ("flagger_info", sorted_labels({"version": "1.44.0"}), 1.0)], 955.0 + 15 * number)
    return made


def ask(storage: Storage, name: str) -> dict[str, float]:
    """Values by the pair of workloads (or by the one label that is left)."""
    tree = evaluate.parse(queries.query(name, namespace="weather"))
    found = evaluate.Evaluator(storage, 1010.0).vector(tree)
    return {
        element.labels.get("source_workload", "") + "→" + element.labels.get("destination_workload", ""): element.value
        for element in found
    }


def test_the_age_is_the_time_since_the_last_scrape_of_that_namespace(storage):
    assert ask(storage, "requests_age") == {"→api-primary": pytest.approx(10)}


def test_only_what_destinations_saw_in_plain_text_counts_as_plain_text(storage):
    assert list(ask(storage, "plaintext_requests")) == ["legacy→api-primary"]
    assert ask(storage, "plaintext_connections") == {}


def test_mutual_tls_is_counted_over_the_window(storage):
    assert ask(storage, "mutual_tls_requests") == {"→api-primary": 300}


def series(storage: Storage, metric: str, values: dict[float, float], **labels: str) -> None:
    for moment, value in values.items():
        storage.ingest(POD, [(metric, sorted_labels({**PAIR, **labels}), value)], moment)


PLAIN = {"source_workload": "cron", "connection_security_policy": "none"}


def test_a_caller_that_called_once_in_the_window_is_seen():
    """Its series begins with that request and never grows: an increase alone would be 0."""
    made = Storage()
    series(made, "istio_requests_total", dict.fromkeys((980.0, 995.0, 1010.0), 1.0), **PLAIN)
    assert ask(made, "plaintext_requests") == {"cron→api-primary": 1}


def test_a_caller_that_was_silent_for_the_whole_window_is_not():
    made = Storage()
    series(made, "istio_requests_total", dict.fromkeys(range(600, 1011, 15), 7.0), **PLAIN)
    assert ask(made, "plaintext_requests") == {}


def test_a_connection_from_before_the_window_shows_by_its_bytes():
    made = Storage()
    moments = range(600, 1011, 15)
    series(made, "istio_tcp_connections_opened_total", dict.fromkeys(moments, 1.0), **PLAIN)
    series(made, "istio_tcp_received_bytes_total", {moment: 10.0 * moment for moment in moments}, **PLAIN)
    assert ask(made, "plaintext_connections") == {}
    assert list(ask(made, "plaintext_bytes")) == ["cron→api-primary"]


def test_flagger_is_known_by_its_info(storage):
    assert list(ask(storage, "flagger_info").values()) == [1.0]
