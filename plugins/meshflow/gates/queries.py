"""Every PromQL query that Meshflow asks, by name. Nothing else in Meshflow writes PromQL.

Destinations report: what a server's proxy saw is the truth about the traffic that arrived. Counters are asked as
increases over a window, and ages as the time since the youngest sample was scraped, since an instant query itself never
shows how old its value is.
"""

from __future__ import annotations

from collections.abc import Mapping

WINDOW = "5m"
SCRAPE_SECONDS = 15.0
"""Prometheus' scrape interval in our values; freshness is measured in it."""

_PAIR = "source_workload, source_workload_namespace, destination_workload, destination_workload_namespace"
_SERVED = 'reporter="destination", destination_workload_namespace="{namespace}"'

TEMPLATES: Mapping[str, str] = {
    "requests_age": "time() - max by (destination_workload) (timestamp(istio_requests_total{{" + _SERVED + "}}))",
    "plaintext_requests": (
        f"sum by ({_PAIR}, connection_security_policy) (increase(istio_requests_total"
        '{{reporter="destination", connection_security_policy!="mutual_tls"}}[{window}])) > 0'
    ),
    "plaintext_connections": (
        f"sum by ({_PAIR}, connection_security_policy) (increase(istio_tcp_connections_opened_total"
        '{{reporter="destination", connection_security_policy!="mutual_tls"}}[{window}])) > 0'
    ),
    "mutual_tls_requests": (
        "sum(increase(istio_requests_total"
        '{{reporter="destination", connection_security_policy="mutual_tls"}}[{window}]))'
    ),
    "flagger_info": "flagger_info",
}


def query(name: str, *, namespace: str = "", window: str = WINDOW) -> str:
    """The query of that name (KeyError for another) about a namespace and a window such as `5m`."""
    return TEMPLATES[name].format(namespace=namespace, window=window)
