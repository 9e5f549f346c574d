"""Metric checks: which PromQL is asked, and how an answer is judged.

Windows are divided by the sandbox's speed, like every other duration, but never below `LEAST_WINDOW`: Prometheus
scrapes once a real second, and a rate needs a few samples.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.network import NetworkError
from sandbox.standins.flagger.spec import Canary, Metric, duration_text

if TYPE_CHECKING:
    from sandbox.clock import Clock
    from sandbox.network import Network

Obj = dict[str, Any]

LEAST_WINDOW = 5.0  # real seconds
ONLINE = "vector(1)"
SUCCESS_RATE, DURATION = "request-success-rate", "request-duration"

_SELECT = 'reporter="destination",destination_workload_namespace="{{ namespace }}",destination_workload=~"{{ target }}"'
BUILTIN: dict[str, str] = {
    SUCCESS_RATE: (
        f'sum(rate(istio_requests_total{{{_SELECT},response_code!~"5.*"}}[{{{{ interval }}}}]))'
        f" / sum(rate(istio_requests_total{{{_SELECT}}}[{{{{ interval }}}}])) * 100"
    ),
    DURATION: (
        "histogram_quantile(0.99, sum by (le)"
        f" (rate(istio_request_duration_milliseconds_bucket{{{_SELECT}}}[{{{{ interval }}}}])))"
    ),
}
_FIELD = re.compile(r"\{\{-?\s*(?:(index)\s+)?(\w+)(?:\.(\w+)|\s+\"(\w+)\")?\s*-?\}\}")


class NoValues(Exception):
    """The query's answer is empty or NaN: nobody sent a request."""


class QueryFailed(Exception):
    """Prometheus could not be asked, or refused the query."""


Query = Callable[[str], Awaitable[float]]


async def ask(network: Network, server: str, promql: str, *, namespace: str) -> float:
    """The value of the last series of the answer. `server` is Prometheus' base URL. Raises NoValues, QueryFailed."""
    query = " ".join(promql.split())
    try:
        url = f"{server.rstrip('/')}/api/v1/query"
        answer = await network.request("GET", url, namespace=namespace, params={"query": query}, timeout=5.0)
    except NetworkError as error:
        raise QueryFailed(f"running query failed: request failed: {error}") from error
    if answer.status_code >= 400:
        text = f"running query failed: error response: Status {answer.status_code} {answer.reason_phrase}"
        raise QueryFailed(f"{text}: {answer.text[:200]}")
    return _value(answer.json()["data"])


def render(template: str, canary: Canary, metric: Metric, clock: Clock) -> str:
    """The query with the Canary's facts filled in. Raises QueryFailed for a field that Flagger does not know."""
    window = max(LEAST_WINDOW, clock.scaled(metric.interval))
    facts = {
        "name": canary.name,
        "namespace": canary.namespace,
        "target": canary.target,
        "service": canary.apex,
        "ingress": (canary.spec.get("ingressRef") or {}).get("name", canary.target),
        "route": (canary.spec.get("routeRef") or {}).get("name", canary.target),
        "interval": f"{math.ceil(window)}s",
    }
    return _FIELD.sub(lambda match: _filled(match, facts, metric.variables), template)


def judge(canary: Canary, metric: Metric, value: float) -> str | None:
    """None when `value` is within the metric's bounds, else the message of the failed check."""
    if metric.name == DURATION and not metric.query and not metric.template:
        return _judged(canary, metric, int(value), f"request duration {duration_text(int(value))}", _milliseconds)
    if metric.name == SUCCESS_RATE and not metric.query and not metric.template:
        return _judged(canary, metric, value, f"success rate {value:.2f}%", lambda bound: f"{bound:g}%")
    return _judged(canary, metric, value, f"{metric.name} {value:.2f}", lambda bound: f"{bound:g}")


def no_values(canary: Canary, metric: Metric) -> str:
    """The message of a check that found no data."""
    if metric.template:
        return f"Halt advancement no values found for custom metric: {metric.name}: no values found"
    if metric.query:
        return f"Halt advancement no values found for metric: {metric.name}"
    where = f"{canary.target}.{canary.namespace}"
    text = f"Halt advancement no values found for istio metric {metric.name} probably {where} is not receiving traffic"
    return f"{text}: running query failed: no values found" if metric.name == SUCCESS_RATE else text


def _judged(canary: Canary, metric: Metric, value: float, shown: str, bound: Callable[[float], str]) -> str | None:
    low, high = metric.low, metric.high
    if low is None and high is None:
        from_below = metric.name == SUCCESS_RATE and not metric.query and not metric.template
        low, high = (metric.threshold, None) if from_below else (None, metric.threshold)
    if low is not None and value < low:
        return f"Halt {canary} advancement {shown} < {bound(low)}"
    if high is not None and value > high:
        return f"Halt {canary} advancement {shown} > {bound(high)}"
    return None


def _milliseconds(bound: float) -> str:
    return duration_text(int(bound))


def _filled(match: re.Match[str], facts: Mapping[str, str], variables: Mapping[str, str]) -> str:
    _, field, dotted, indexed = match.groups()
    variable = dotted or indexed
    if field == "variables" and variable in variables:
        return variables[variable]
    if field in facts and not variable:
        return facts[field]
    raise QueryFailed(f"template execution failed: {match.group(0)} is not known")


def _value(data: Obj) -> float:
    result = data["result"]
    if data["resultType"] == "scalar":
        result = [{"value": result}]
    if not result:
        raise NoValues
    value = float(result[-1]["value"][1])
    if math.isnan(value):
        raise NoValues
    return value
