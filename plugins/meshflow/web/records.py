"""The audit pages: which chains of records there are, what is in one, and one record with its evidence.

    GET /meshflow/records                    the chains, with the newest record of each
    GET /meshflow/records/{chain}            one chain, the newest record first, and whether it holds
    GET /meshflow/records/{chain}/{number}   one record: outcome, weights, gates, and all that it says

For whoever is logged in to Airflow, and of each DAG only what they may read there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from meshflow import errors
from meshflow.gates import model
from meshflow.release import outcome, record
from meshflow.web.access import GetUserDep
from meshflow.web.app import Injected, Services

SHOWN = 200  # records of a chain on its page

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
router = APIRouter(default_response_class=HTMLResponse)


class Line(NamedTuple):
    """One record in a table."""

    chain: str
    number: int
    written: str
    dag: str
    run: str
    cluster: str
    outcome: str
    message: str


@router.get("/records")
def chains(request: Request, user: GetUserDep, services: Injected) -> HTMLResponse:
    """The chains that the user may read."""
    folders = sorted(path for path in _folders(services) if path.is_dir())
    newest = ((folder.name, record.newest(folder)) for folder in folders)
    lines = [line(chain, found) for chain, found in newest if found]
    return _page(request, "chains.html", lines=[item for item in lines if services.may_read(user, item.dag)])


@router.get("/records/{chain}")
def chain(request: Request, chain: str, user: GetUserDep, services: Injected) -> HTMLResponse:
    """The records of a chain, and the first broken link if there is one."""
    folder = _folder(services, chain, user)
    lines = [line(chain, found) for found in record.read(folder)]
    return _page(
        request,
        "chain.html",
        chain=chain,
        lines=lines[: -SHOWN - 1 : -1],
        count=len(lines),
        broken=record.verify(folder),
    )


@router.get("/records/{chain}/{number}")
def one(request: Request, chain: str, number: int, user: GetUserDep, services: Injected) -> HTMLResponse:
    """One record."""
    folder = _folder(services, chain, user)
    found = next((item for item in record.read(folder) if item["number"] == number), None)
    if found is None:
        raise HTTPException(404, f"The chain {chain} has no record {number}")
    document = found["document"]
    return _page(
        request,
        "record.html",
        line=line(chain, found),
        record=found,
        document=document,
        ended=document.get("outcome") or {},
        sentence=_sentence(document),
        plans=_plans(document),
        started_by=_started_by(document),
        differs=_differs(document),
        repaired=list((document.get("remediation") or {}).get("writes") or ()),
        steps=[_step(step) for step in (document.get("outcome") or {}).get("timeline") or []],
        gates=[_gate(item) for item in [*(document.get("gates") or []), *(_drift(document).get("gates") or [])]],
        everything=json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True),
        broken=record.verify(folder),
    )


def line(chain: str, found: Mapping[str, Any]) -> Line:
    """A record as one line: how its release ended, or, for a run without one, whether it failed and what it planned."""
    document = found["document"]
    ended = document.get("outcome") or {}
    failures = document.get("failures") or []
    planned = (document.get("plan") or {}).get("summary") or _told_of_drift(document)
    message = ended.get("message") or "; ".join(str(item.get("message")) for item in failures) or planned
    return Line(
        chain,
        found["number"],
        str(found.get("written", ""))[:19].replace("T", " "),
        str(document.get("dag", "")),
        str(document.get("run", "")),
        str(document.get("cluster", "")),
        str(ended.get("outcome") or ("failed" if failures else "done")),
        errors.shorten(str(message)),
    )


def _folders(services: Services) -> Iterable[Path]:
    home = services.records()
    return home.iterdir() if home.is_dir() else ()


def _folder(services: Services, chain: str, user: BaseUser) -> Path:
    """The folder of a chain that the user may read; 404 without one, 403 when it is not for them."""
    folder = next((path for path in _folders(services) if path.name == chain), None)
    newest = record.newest(folder) if folder else None
    if folder is None or newest is None:
        raise HTTPException(404, f"There is no chain of records called {chain}")
    dag_id = str(newest["document"].get("dag", ""))
    if not services.may_read(user, dag_id):
        raise HTTPException(403, f"You may not read the runs of {dag_id}")
    return folder


def _sentence(document: Mapping[str, Any]) -> str:
    word = (document.get("outcome") or {}).get("outcome")
    return outcome.Outcome(word).sentence if word in {item.value for item in outcome.Outcome} else ""


def _plans(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was planned for each bundle: its name, and the actions that occur with their numbers."""
    plans = (document.get("plan") or {}).get("plans") or {}
    return [
        (bundle, ", ".join(f"{count} {action}" for action, count in (plan.get("counts") or {}).items() if count))
        for bundle, plan in plans.items()
    ]


def _started_by(document: Mapping[str, Any]) -> str:
    """Who or what started the run, where that is not part of a release's request."""
    trigger = document.get("trigger") or {}
    asked = (trigger.get("conf") or {}).get("requested_by")
    return "" if document.get("request") else str(asked or trigger.get("by") or trigger.get("type") or "")


def _drift(document: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document.get("drift") or {}
    return found


def _differs(document: Mapping[str, Any]) -> list[str] | None:
    """What the drift check found, a line for each object; None for a run of another kind."""
    found = _drift(document)
    return [*found.get("drift", []), *found.get("unknown", [])] if found else None


def _told_of_drift(document: Mapping[str, Any]) -> str:
    differs, repaired = _differs(document), (document.get("remediation") or {}).get("writes")
    if differs is None:
        return ""
    return f"repaired: {', '.join(repaired)}" if repaired else "; ".join(differs) or "as declared"


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step of the timeline with its figures as text; where traffic moved they are the `weight` on the canary."""
    value, unit = step.get("value"), step.get("unit", "")
    threshold = step.get("threshold")
    figures = f"{value:g}{unit}" if isinstance(value, int | float) else ""
    weight = step.get("kind") == "weight" and figures
    against = f"{threshold:g}{unit}" if isinstance(threshold, int | float) else ""
    return {
        "time": str(step.get("time", ""))[11:19],
        "kind": step.get("kind", ""),
        "message": step.get("message", ""),
        "check": step.get("check") or "",
        "figures": f"{figures} against {against}" if figures and against else "" if weight else figures,
        "weight": f"{value:g}" if weight else None,
        "count": step.get("count", 1),
    }


def _gate(verdict: Mapping[str, Any]) -> dict[str, Any]:
    numbers = verdict.get("numbers") or {}
    return {
        "gate": verdict.get("gate", ""),
        "result": verdict.get("result", ""),
        "reason": verdict.get("reason", ""),
        "numbers": ", ".join(f"{name} {model.printed(value)}" for name, value in numbers.items()),
    }


def _page(request: Request, name: str, **context: Any) -> HTMLResponse:
    """A template with `base`, where these pages are mounted, and `airflow`, where Airflow's own are."""
    base = str(request.scope.get("root_path", ""))
    text = templates.get_template(name).render(base=base, airflow=base.rpartition("/")[0], **context)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})
