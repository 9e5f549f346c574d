"""What stands in the cells of kubectl's tables: functions of an object and the time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.api.tables import NONE, UNKNOWN, Cell, ago, duration

Obj = dict[str, Any]


def value(*path: str, default: Any = NONE) -> Cell:
    """A cell with the value at a path of keys."""

    def cell(obj: Obj, now: datetime) -> Any:
        found: Any = obj
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return default if found in (None, "") else found

    return cell


def ratio(done: Cell, wanted: Cell) -> Cell:
    return lambda obj, now: f"{done(obj, now)}/{wanted(obj, now)}"


def containers(obj: Obj) -> list[Obj]:
    template = obj["spec"].get("template") or (obj["spec"].get("jobTemplate") or {}).get("spec", {}).get("template")
    return ((template or {}).get("spec") or {}).get("containers") or []


def pairs(labels: Obj | None) -> str:
    return ",".join(f"{key}={label}" for key, label in sorted((labels or {}).items())) or NONE


def selector_text(selector: Obj | None) -> str:
    """A LabelSelector as kubectl writes it."""
    found = [f"{key}={label}" for key, label in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for e in (selector or {}).get("matchExpressions") or ():
        values = ",".join(sorted(e.get("values") or ()))
        words = {"In": f"{e['key']} in ({values})", "NotIn": f"{e['key']} notin ({values})", "Exists": e["key"]}
        found.append(words.get(e["operator"], f"!{e['key']}"))
    return ",".join(found) or NONE


def external_ip(service: Obj, now: datetime) -> str:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or NONE)
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    found = [*(i.get("ip") or i.get("hostname") or "" for i in ingress), *(spec.get("externalIPs") or ())]
    if not found and spec.get("type") == "LoadBalancer":
        return "<pending>"
    return ",".join(found) or NONE


def service_ports(service: Obj, now: datetime) -> str:
    def one(port: Obj) -> str:
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"

    return ",".join(map(one, service["spec"].get("ports") or ())) or NONE


def _some(found: list[str], limit: int = 3) -> str:
    more = f" + {len(found) - limit} more..." if len(found) > limit else ""
    return ",".join(found[:limit]) + more if found else NONE


def endpoints(obj: Obj, now: datetime) -> str:
    subsets = obj.get("subsets") or ()
    return _some(
        [
            f"{address['ip']}:{port['port']}" if port else address["ip"]
            for subset in subsets
            for port in subset.get("ports") or (None,)
            for address in subset.get("addresses") or ()
        ]
    )


def slice_ports(obj: Obj, now: datetime) -> str:
    return _some([str(port.get("port", "*")) for port in obj.get("ports") or ()]) if obj.get("ports") else "<unset>"


def slice_endpoints(obj: Obj, now: datetime) -> str:
    found = [address for e in obj.get("endpoints") or () for address in e.get("addresses") or ()]
    return _some(found) if found else "<unset>"


def node_status(node: Obj, now: datetime) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((c["status"] for c in conditions if c["type"] == "Ready"), None)
    word = {"True": "Ready", None: "Unknown"}.get(ready, "NotReady")
    return f"{word},SchedulingDisabled" if (node.get("spec") or {}).get("unschedulable") else word


def node_roles(node: Obj, now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or NONE


def node_address(kind: str) -> Cell:
    def cell(node: Obj, now: datetime) -> str:
        addresses = (node.get("status") or {}).get("addresses") or ()
        return next((a["address"] for a in addresses if a["type"] == kind), NONE)

    return cell


def job_status(job: Obj, now: datetime) -> str:
    true = {c["type"] for c in (job.get("status") or {}).get("conditions") or () if c["status"] == "True"}
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((kind for kind in ("Complete", "Failed", "Suspended") if kind in true), "Running")


def job_completions(job: Obj, now: datetime) -> str:
    done, spec = (job.get("status") or {}).get("succeeded", 0), job["spec"]
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallel = spec.get("parallelism") or 1
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def job_duration(job: Obj, now: datetime) -> str:
    status = job.get("status") or {}
    if not status.get("startTime"):
        return ""
    begin = datetime.fromisoformat(status["startTime"].replace("Z", "+00:00"))
    end = datetime.fromisoformat(status["completionTime"].replace("Z", "+00:00")) if "completionTime" in status else now
    return duration((end - begin).total_seconds())


def scaled_object(hpa: Obj, now: datetime) -> str:
    target = hpa["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def hpa_targets(hpa: Obj, now: datetime) -> str:
    current = {metric["name"]: metric for metric in _metrics(hpa, "status", "currentMetrics")}
    found = []
    for metric in _metrics(hpa, "spec", "metrics"):
        name, wanted = metric["name"], metric["target"]
        now_at = (current.get(name) or {}).get("current") or {}
        if wanted.get("averageUtilization") is not None:
            seen = now_at.get("averageUtilization")
            shown, limit = f"{seen}%" if seen is not None else UNKNOWN, f"{wanted['averageUtilization']}%"
        else:
            shown, limit = str(now_at.get("averageValue", UNKNOWN)), str(wanted.get("averageValue"))
        found.append(f"{name}: {shown}/{limit}")
    return ", ".join(found[:2]) + (f" + {len(found) - 2} more..." if len(found) > 2 else "") or NONE


def _metrics(hpa: Obj, part: str, key: str) -> list[Obj]:
    metrics = (hpa.get(part) or {}).get(key) or ()
    return [found for metric in metrics if (found := metric.get("resource") or metric.get("containerResource"))]


def ingress_hosts(ingress: Obj, now: datetime) -> str:
    hosts = [rule["host"] for rule in ingress["spec"].get("rules") or () if rule.get("host")]
    return _some(hosts) if hosts else "*"


def last_seen(event: Obj, now: datetime) -> str:
    series = (event.get("series") or {}).get("lastObservedTime")
    times = (series, event.get("lastTimestamp"), event.get("firstTimestamp"), event.get("eventTime"))
    return ago(next((t for t in times if t), None), now)


def first_seen(event: Obj, now: datetime) -> str:
    return ago(event.get("firstTimestamp") or event.get("eventTime"), now)


def event_object(event: Obj, now: datetime) -> str:
    about = event.get("involvedObject") or event.get("regarding") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def event_source(event: Obj, now: datetime) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or event.get("reportingController") or ""
    return ", ".join(part for part in (component, source.get("host", "")) if part)


def count(*keys: str) -> Cell:
    return lambda obj, now: sum(len(obj.get(key) or ()) for key in keys)


def role(binding: Obj, now: datetime) -> str:
    return f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"


def subjects(kind: str) -> Cell:
    def cell(binding: Obj, now: datetime) -> str:
        found = [s for s in binding.get("subjects") or () if s.get("kind") == kind]
        return ", ".join(f"{s['namespace']}/{s['name']}" if s.get("namespace") else s["name"] for s in found)

    return cell


def access_modes(claim: Obj, now: datetime) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    modes = (claim.get("status") or {}).get("accessModes") or claim["spec"].get("accessModes") or ()
    return ",".join(short.get(mode, mode) for mode in modes)


def since(*path: str) -> Cell:
    found = value(*path, default=None)
    return lambda obj, now: ago(found(obj, now), now) if found(obj, now) else NONE


def controller(obj: Obj, now: datetime) -> str:
    owner = next((o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)
    return f"{owner['kind'].lower()}.apps/{owner['name']}" if owner else NONE
