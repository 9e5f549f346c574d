"""The CustomResourceDefinitions of Istio and Flagger, made from the tables."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sandbox.charts import flagger, networking, schema, security

Obj = dict[str, Any]
AGE = ("Age", "date", ".metadata.creationTimestamp")
OPEN_STATUS = schema.PRIMITIVES["any"]


class Row(NamedTuple):
    """One kind. `versions` begins with the stored one; `columns` are (name, type, path)."""

    kind: str
    plural: str
    versions: Sequence[str]
    short: str | None = None
    columns: Sequence[tuple[str, str, str]] = ()
    spec_required: bool = False


V1 = ("v1", "v1alpha3", "v1beta1")
ISTIO_NETWORKING = (
    Row("DestinationRule", "destinationrules", V1, "dr", (("Host", "string", ".spec.host"), AGE)),
    Row("EnvoyFilter", "envoyfilters", ("v1alpha3",)),
    Row("Gateway", "gateways", V1, "gw"),
    Row("ProxyConfig", "proxyconfigs", ("v1beta1",)),
    Row(
        "ServiceEntry",
        "serviceentries",
        V1,
        "se",
        (
            ("Hosts", "string", ".spec.hosts"),
            ("Location", "string", ".spec.location"),
            ("Resolution", "string", ".spec.resolution"),
            AGE,
        ),
        spec_required=True,
    ),
    Row("Sidecar", "sidecars", V1),
    Row(
        "VirtualService",
        "virtualservices",
        V1,
        "vs",
        (("Gateways", "string", ".spec.gateways"), ("Hosts", "string", ".spec.hosts"), AGE),
    ),
    Row("WorkloadEntry", "workloadentries", V1, "we", (AGE, ("Address", "string", ".spec.address")), True),
    Row("WorkloadGroup", "workloadgroups", V1, "wg", (AGE,), spec_required=True),
)
ISTIO_SECURITY = (
    Row(
        "AuthorizationPolicy",
        "authorizationpolicies",
        ("v1", "v1beta1"),
        "ap",
        (("Action", "string", ".spec.action"), AGE),
    ),
    Row(
        "PeerAuthentication",
        "peerauthentications",
        ("v1", "v1beta1"),
        "pa",
        (("Mode", "string", ".spec.mtls.mode"), AGE),
    ),
    Row("RequestAuthentication", "requestauthentications", ("v1", "v1beta1"), "ra"),
)
ISTIO_TELEMETRY = (Row("Telemetry", "telemetries", ("v1alpha1", "v1"), "telemetry", (AGE,)),)
ISTIO_EXTENSIONS = (
    Row("TrafficExtension", "trafficextensions", ("v1alpha1",), None, (AGE,), spec_required=True),
    Row("WasmPlugin", "wasmplugins", ("v1alpha1",), None, (AGE,), spec_required=True),
)
FLAGGER = (
    Row(
        "Canary",
        "canaries",
        ("v1beta1",),
        None,
        (
            ("Status", "string", ".status.phase"),
            ("Weight", "string", ".status.canaryWeight"),
            ("Suspended", "boolean", ".spec.suspend"),
            ("FailedChecks", "string", ".status.failedChecks"),
            ("Interval", "string", ".spec.analysis.interval"),
            ("Mirror", "boolean", ".spec.analysis.mirror"),
            ("StepWeight", "string", ".spec.analysis.stepWeight"),
            ("StepWeights", "string", ".spec.analysis.stepWeights"),
            ("MaxWeight", "string", ".spec.analysis.maxWeight"),
            ("LastTransitionTime", "string", ".status.lastTransitionTime"),
        ),
    ),
    Row("MetricTemplate", "metrictemplates", ("v1beta1",), None, (("Provider", "string", ".spec.provider.type"),)),
    Row("AlertProvider", "alertproviders", ("v1beta1",), None, (("Type", "string", ".spec.type"),)),
)
WIDE = {"Suspended", "FailedChecks", "Interval", "Mirror", "StepWeight", "StepWeights", "MaxWeight"}  # kubectl -o wide


def crds() -> list[Obj]:
    """All of them, sorted by name: new objects at each call."""
    return sorted([*istio(), *flagger_crds()], key=lambda crd: crd["metadata"]["name"])


def istio() -> list[Obj]:
    """What the chart `base` installs."""
    groups: tuple[tuple[str, Sequence[Row], Mapping[str, str]], ...] = (
        ("extensions.istio.io", ISTIO_EXTENSIONS, networking.TYPES),
        ("networking.istio.io", ISTIO_NETWORKING, networking.TYPES),
        ("security.istio.io", ISTIO_SECURITY, security.TYPES),
        ("telemetry.istio.io", ISTIO_TELEMETRY, networking.TYPES),
    )
    return [
        _definition(group, row, types, categories=["istio-io", f"{group.partition('.')[0]}-istio-io"])
        for group, rows, types in groups
        for row in rows
    ]


def flagger_crds() -> list[Obj]:
    """What the chart `flagger` installs with `crd.create`."""
    return [_definition("flagger.app", row, flagger.TYPES, categories=["all"]) for row in FLAGGER]


def _definition(group: str, row: Row, types: Mapping[str, str], *, categories: list[str]) -> Obj:
    names = {"kind": row.kind, "listKind": f"{row.kind}List", "plural": row.plural, "singular": row.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{row.plural}.{group}", "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {**names, "categories": categories, **({"shortNames": [row.short]} if row.short else {})},
            "versions": [_version(name, row, types, stored=name == row.versions[0]) for name in sorted(row.versions)],
        },
    }


def _version(name: str, row: Row, types: Mapping[str, str], *, stored: bool) -> Obj:
    version: Obj = {
        "name": name,
        "served": True,
        "storage": stored,
        "schema": {"openAPIV3Schema": _whole(row, types)},
        "subresources": {"status": {}},
    }
    if row.columns:
        version["additionalPrinterColumns"] = [_column(*column) for column in row.columns]
    return version


def _whole(row: Row, types: Mapping[str, str]) -> Obj:
    status_text = types.get(f"{row.kind}Status")
    status = schema.parse(status_text, types) if status_text else copy.deepcopy(dict(OPEN_STATUS))
    whole: Obj = {"type": "object", "properties": {"spec": schema.parse(types[row.kind], types), "status": status}}
    return {**whole, "required": ["spec"]} if row.spec_required else whole


def _column(name: str, kind: str, path: str) -> Obj:
    column: Obj = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": 1} if name in WIDE else column
