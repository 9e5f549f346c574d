"""Every PromQL query that Meshflow asks, by name. Nothing else in Meshflow writes PromQL.

Destinations report: what a server's proxy saw is the truth about the traffic that arrived. Counters are asked as
increases over a window, and ages as the time since the youngest sample was scraped, since an instant query itself never
shows how old its value is. `increase` alone does not see the first request of a caller, with which its series begins:
what is younger than the window counts whole. Of a TCP connection that was opened before the window only its bytes show.
"""

from __future__ import annotations

from collections.abc import Mapping

WINDOW = "5m"
SCRAPE_SECONDS = 15.0
"""Prometheus' scrape interval in our values; freshness is measured in it."""

_DESTINATION = "destination_workload, destination_workload_namespace"
_PAIR = f"source_workload, source_workload_namespace, {_DESTINATION}, connection_security_policy"
_SERVED = 'reporter="destination", destination_workload_namespace="{namespace}"'

_SECURE, _PLAIN = 'connection_security_policy="mutual_tls"', 'connection_security_policy!="mutual_tls"'


def _counted(metric: str, policy: str, *, by: str) -> str:
    """Who has a count above zero in the window, and how much."""
    series = f'{metric}{{{{reporter="destination", {policy}}}}}'
    grown = f"({series} unless {series} offset {{window}}) or increase({series}[{{window}}])"
    return f"sum by ({by}) ({grown}) > 0"


TEMPLATES: Mapping[str, str] = {
    "requests_age": "time() - max by (destination_workload) (timestamp(istio_requests_total{{" + _SERVED + "}}))",
    "plaintext_requests": _counted("istio_requests_total", _PLAIN, by=_PAIR),
    "plaintext_connections": _counted("istio_tcp_connections_opened_total", _PLAIN, by=_PAIR),
    "plaintext_bytes": _counted("istio_tcp_received_bytes_total", _PLAIN, by=_PAIR),
    "mutual_tls_requests": _counted("istio_requests_total", _SECURE, by=_DESTINATION),
    "mutual_tls_bytes": _counted("istio_tcp_received_bytes_total", _SECURE, by=_DESTINATION),
    "flagger_info": "flagger_info",
}


def query(name: str, *, namespace: str = "", window: str = WINDOW) -> str:
    """The query of that name (KeyError for another) about a namespace and a window such as `5m`."""
    return TEMPLATES[name].format(namespace=namespace, window=window)
