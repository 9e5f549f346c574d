"""Do Prometheus and Grafana see what happens, now?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from meshflow.gates import queries, samples
from meshflow.gates.model import Number, Result, Verdict
from meshflow.mesh.evidence import Sample

READY, TARGETS, FRESH = "prometheus.ready", "prometheus.targets", "prometheus.requests"
GRAFANA, DATASOURCE = "grafana.health", "grafana.datasource"


def prometheus_ready(status: int) -> Verdict:
    """From the status of `/-/ready`."""
    result = Result.PASS if status == 200 else Result.FAIL
    return Verdict(READY, result, f"Prometheus answered {status} to /-/ready", {"status": status})


def targets_up(targets: Sequence[Mapping[str, Any]], *, jobs: Collection[str] = (), share: float = 1.0) -> Verdict:
    """Whether the active targets (`/api/v1/targets`) are up: at least `share` of them, and one of each job in `jobs`.

    A target whose health is `unknown` was not scraped yet: it is no failure, but no proof either.
    """
    health = [str(target.get("health", "unknown")) for target in targets]
    up, down = health.count("up"), health.count("down")
    numbers: dict[str, Number] = {"targets": len(health), "up": up, "down": down, "unknown": len(health) - up - down}
    lacking = sorted(set(jobs) - {_job(target) for target in targets if target.get("health") == "up"})
    if lacking and not numbers["unknown"]:
        return Verdict(TARGETS, Result.FAIL, f"no target is up of job {', '.join(lacking)}", numbers)
    if down and up < share * (up + down):
        first = next(target for target in targets if target.get("health") == "down")
        reason = f"{down} of {len(health)} targets are down, first {_job(first)} {first.get('scrapeUrl', '')}: "
        return Verdict(TARGETS, Result.FAIL, reason + str(first.get("lastError") or "no error given"), numbers)
    if not up or numbers["unknown"]:
        return Verdict(
            TARGETS, Result.INCONCLUSIVE, f"{numbers['unknown']} of {len(health)} targets wait for a scrape", numbers
        )
    return Verdict(TARGETS, Result.PASS, f"{up} of {len(health)} targets are up", numbers)


def requests_fresh(
    ages: Iterable[Sample],
    *,
    services: Collection[str],
    scrape: float = queries.SCRAPE_SECONDS,
) -> Verdict:
    """Whether requests of every service are counted, by a sample younger than two scrapes (`queries.requests_age`).

    Under Flagger a service's traffic is served by `SERVICE-primary`, or `SERVICE` while a canary runs: the younger one
    counts. A service without any sample makes it inconclusive: nobody called it, or nobody counts.
    """
    limit = 2 * scrape
    found = samples.by_label(ages, "destination_workload")
    youngest = {name: _youngest(found, name) for name in sorted(services)}
    numbers: dict[str, Number] = {"limit_seconds": limit}
    numbers.update({name: age if age is not None else "none" for name, age in youngest.items()})
    stale = [f"{name} ({age:.0f} s)" for name, age in youngest.items() if age is not None and age > limit]
    silent = [name for name, age in youngest.items() if age is None]
    if stale:
        return Verdict(FRESH, Result.FAIL, f"older than {limit:g} s: {', '.join(stale)}", numbers)
    if silent or not services:
        reason = f"no request was counted for {', '.join(silent) or 'any service'}"
        return Verdict(FRESH, Result.INCONCLUSIVE, reason, numbers)
    oldest = max(age for age in youngest.values() if age is not None)
    return Verdict(FRESH, Result.PASS, f"all {len(youngest)} services, the oldest {oldest:.0f} s ago", numbers)


def grafana_healthy(health: Mapping[str, Any]) -> Verdict:
    """From `/api/health`."""
    database, version = str(health.get("database", "unknown")), str(health.get("version", "unknown"))
    result = Result.PASS if database == "ok" else Result.FAIL
    return Verdict(
        GRAFANA, result, f"Grafana {version}: database {database}", {"database": database, "version": version}
    )


def datasource_healthy(datasources: Sequence[Mapping[str, Any]], *, health: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Whether a Prometheus datasource is there and reaches it: `health` is Grafana's own check, by uid."""
    wanted = [item for item in datasources if item.get("type") == "prometheus"]
    numbers: dict[str, Number] = {"datasources": len(datasources), "prometheus": len(wanted)}
    if not wanted:
        return Verdict(DATASOURCE, Result.FAIL, "Grafana has no Prometheus datasource", numbers)
    for item in wanted:
        answer = health.get(str(item.get("uid")), {})
        status, message = str(answer.get("status", "unknown")), str(answer.get("message") or "no message")
        if status.upper() == "UNKNOWN":
            return Verdict(DATASOURCE, Result.INCONCLUSIVE, f"{item.get('name')} was not checked", numbers)
        if status.upper() != "OK":
            return Verdict(DATASOURCE, Result.FAIL, f"{item.get('name')}: {status}: {message}", numbers)
    names = ", ".join(str(item.get("name")) for item in wanted)
    return Verdict(DATASOURCE, Result.PASS, f"{names} reaches Prometheus", numbers)


def _youngest(ages: Mapping[str, float], service: str) -> float | None:
    found = [ages[name] for name in (service, f"{service}-primary") if name in ages]
    return min(found) if found else None


def _job(target: Mapping[str, Any]) -> str:
    return str((target.get("labels") or {}).get("job") or target.get("scrapePool") or "?")
