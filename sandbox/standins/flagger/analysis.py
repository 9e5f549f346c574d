"""Metric checks: which PromQL is asked, and how an answer is judged.

Windows are divided by the sandbox's speed, like every other duration, but never below `LEAST_WINDOW`: Prometheus
scrapes once a real second, and a rate needs a few samples.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from sandbox.network import NetworkError
from sandbox.standins.flagger.spec import Canary, Metric, duration_text

if TYPE_CHECKING:
    from sandbox.clock import Clock
    from sandbox.network import Network

Obj = dict[str, Any]

LEAST_WINDOW = 5.0  # real seconds
ONLINE = "vector(1)"
SUCCESS_RATE, DURATION = "request-success-rate", "request-duration"

_WORKLOAD = 'destination_workload_namespace="{{ namespace }}",destination_workload=~"{{ target }}"'
_PODS = 'kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'


def _builtin(count: str, bucket: str, select: str, code: str) -> dict[str, str]:
    good, all_ = (f"sum(rate({count}{{{s}}}[{{{{ interval }}}}]))" for s in (f'{select},{code}!~"5.*"', select))
    slowest = f"sum by (le) (rate({bucket}{{{select}}}[{{{{ interval }}}}]))"
    return {SUCCESS_RATE: f"{good} / {all_} * 100", DURATION: f"histogram_quantile(0.99, {slowest})"}


_PROXIES = ("istio_requests_total", "istio_request_duration_milliseconds_bucket")
_APPLICATION = ("http_request_duration_seconds_count", "http_request_duration_seconds_bucket")
BUILTIN: dict[str, dict[str, str]] = {  # by provider: those of proxies, or those that the application itself exports
    "istio": _builtin(*_PROXIES, f'reporter="destination",{_WORKLOAD}', "response_code"),
    "kubernetes": _builtin(*_APPLICATION, _PODS, "status"),
}
_FIELD = re.compile(r"\{\{-?\s*(?:(index)\s+)?(\w+)(?:\.(\w+)|\s+\"(\w+)\")?\s*-?\}\}")


class NoValues(Exception):
    """The query's answer is empty or NaN: nobody sent a request."""


class QueryFailed(Exception):
    """Prometheus could not be asked, or refused the query."""


class Unusable(Exception):
    """There is nothing to ask; the text is the whole message of the failed check."""


Query = Callable[[str], Awaitable[float]]


async def ask(network: Network, server: str, promql: str, *, namespace: str) -> float:
    """The value of the last series of the answer. `server` is Prometheus' base URL. Raises NoValues, QueryFailed."""
    query = " ".join(promql.split())
    url = f"{server.rstrip('/')}/api/v1/query"
    try:
        answer = await network.request("GET", url, namespace=namespace, params={"query": query}, timeout=5.0)
    except NetworkError as error:
        raise QueryFailed(f'request failed: Get "{url}?query={quote_plus(query)}": {error}') from error
    if answer.status_code >= 400:
        text = f"error response: Status {answer.status_code} {answer.reason_phrase}"
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


def no_values(canary: Canary, metric: Metric, *, provider: str) -> str:
    """The message of a check that found no data."""
    text = "Halt advancement no values found for"
    if metric.template:
        return f"{text} custom metric: {metric.name}: no values found"
    if metric.query:
        return f"{text} metric: {metric.name}"
    where = f"{canary.target}.{canary.namespace}"
    text = f"{text} {provider} metric {metric.name} probably {where} is not receiving traffic"
    return f"{text}: running query failed: no values found" if metric.name == SUCCESS_RATE else text


def failed(metric: Metric, error: QueryFailed) -> str:
    """The message of a check whose query failed."""
    if metric.template or metric.query:
        return f"{'Metric' if metric.template else 'Prometheus'} query failed for {metric.name}: {error}"
    return f"Prometheus query failed: running query failed: {error}"


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
