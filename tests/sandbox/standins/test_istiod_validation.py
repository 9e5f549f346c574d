"""What istiod's validation refuses."""

from typing import Any

import pytest

from sandbox.standins import istiod_validation

Obj = dict[str, Any]

ROUTE = [{"destination": {"host": "frontend"}}]
SERVER = {"port": {"name": "http", "number": 80, "protocol": "HTTP"}, "hosts": ["*"]}
EVERY: Obj = {"match": [{"uri": {"prefix": "/"}}], "route": ROUTE}
ABORT = {"abort": {"httpStatus": 999, "percentage": {"value": 10}}}
EXTERNAL = {"hosts": ["api.example.com"], "ports": [{"name": "https", "number": 443}], "resolution": "DNS"}


def reasons(kind: str, spec: Obj) -> str:
    return "; ".join(istiod_validation.problems({"kind": kind, "spec": spec}))


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("VirtualService", {"hosts": ["frontend"], "http": [{"route": ROUTE}]}),
        ("VirtualService", {"hosts": ["*"], "gateways": ["istio-ingress/weather"], "http": [{"route": ROUTE}]}),
        ("VirtualService", {"http": [{"route": ROUTE}]}),
        ("DestinationRule", {"host": "*.local", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}),
        ("Gateway", {"servers": [SERVER]}),
        ("ServiceEntry", EXTERNAL),
        ("ServiceEntry", {**EXTERNAL, "resolution": "STATIC"}),
        ("Sidecar", {"egress": [{"hosts": ["./*", "~/*", "istio-system/*", "*/frontend.weather.svc.cluster.local"]}]}),
        ("PeerAuthentication", {"mtls": {"mode": "STRICT"}}),
        ("AuthorizationPolicy", {}),
        ("AuthorizationPolicy", {"action": "DENY", "rules": [{}]}),
        ("AuthorizationPolicy", {"rules": [{"when": [{"key": "request.headers[x-y]", "values": ["a"]}]}]}),
        ("RequestAuthentication", {"jwtRules": [{"issuer": "a", "jwksUri": "https://a"}]}),
        ("RequestAuthentication", {"jwtRules": [{"jwksUri": "https://a"}]}),
        ("Telemetry", {"whatever": 1}),
    ],
)
def test_sound_objects_pass(kind: str, spec: Obj) -> None:
    """Those of the example among them."""
    assert reasons(kind, spec) == ""


@pytest.mark.parametrize(
    ("kind", "spec", "reason"),
    [
        ("VirtualService", {"hosts": ["a b"], "http": [{"route": ROUTE}]}, "domain name 'a b' invalid"),
        ("VirtualService", {"hosts": ["a"]}, "http, tcp or tls must be provided"),
        ("VirtualService", {"hosts": ["a"], "http": [{"timeout": "5s"}]}, "route, redirect or direct_response"),
        ("VirtualService", {"hosts": ["a"], "http": [{"route": ROUTE, "timeout": "5"}]}, "no duration"),
        ("VirtualService", {"hosts": ["*"], "http": [{"route": ROUTE}]}, "wildcard host"),
        ("VirtualService", {"hosts": ["a"], "http": [{"route": ROUTE * 2}]}, "total destination weight = 0"),
        ("DestinationRule", {"host": "a", "subsets": [{"name": "v1"}, {"name": "v1"}]}, "duplicate subset"),
        ("Gateway", {}, "at least one server"),
        ("Gateway", {"servers": [{**SERVER, "port": {"number": 443, "protocol": "HTTPS"}}]}, "must have TLS settings"),
        ("Gateway", {"servers": [SERVER, SERVER]}, "must be unique"),
        ("VirtualService", {"hosts": ["a"], "http": [{"route": ROUTE, "timeout": "0s"}]}, "no duration"),
        ("VirtualService", {"hosts": ["a"], "http": [{"route": ROUTE, "fault": ABORT}]}, "not in range 200-599"),
        (
            "VirtualService",
            {"hosts": ["a"], "http": [{"route": ROUTE, "mirror": {"host": "b"}, "mirrorPercentage": {"value": 150}}]},
            "max value of 100",
        ),
        ("DestinationRule", {"host": "a", "trafficPolicy": {"tls": {"mode": "MUTUAL"}}}, "client certificate required"),
        ("Sidecar", {}, "empty configuration"),
        ("Sidecar", {"egress": [{"hosts": ["frontend"]}]}, "must be of form namespace/dnsName"),
        ("Sidecar", {"egress": [{"hosts": ["./frontend"]}]}, "short names"),
        (
            "ServiceEntry",
            {**EXTERNAL, "ports": [{"name": "x", "number": 1, "protocol": "NOPE"}]},
            "unsupported protocol",
        ),
        ("ServiceEntry", {**EXTERNAL, "addresses": ["nope"]}, "not a valid IP"),
        ("ServiceEntry", {**EXTERNAL, "hosts": ["*.example.com"]}, "must be FQDN"),
        ("PeerAuthentication", {"portLevelMtls": {"80": {"mode": "DISABLE"}}}, "requires a selector"),
        ("AuthorizationPolicy", {"action": "CUSTOM"}, "`provider.name` must not be empty"),
        ("AuthorizationPolicy", {"action": "DENY"}, "never matches"),
        ("AuthorizationPolicy", {"rules": [{"when": [{"key": "nonsense", "values": ["a"]}]}]}, "unknown attribute"),
        ("AuthorizationPolicy", {"rules": [{"from": [{"source": {"principals": [""]}}]}]}, "empty value not allowed"),
        ("AuthorizationPolicy", {"rules": [{"from": [{"source": {"ipBlocks": ["1.2.3"]}}]}]}, "bad IP address"),
        ("AuthorizationPolicy", {"rules": [{"to": [{"operation": {"ports": ["http"]}}]}]}, "bad port"),
    ],
)
def test_mistakes_that_no_schema_sees_are_refused(kind: str, spec: Obj, reason: str) -> None:
    """With the reason."""
    assert reason in reasons(kind, spec)


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ([EVERY, {"route": ROUTE}], []),
        ([{"route": ROUTE}, EVERY], ["#1 not used (route without matches defined before)"]),
        ([{"route": ROUTE}] * 2, ["#1 not used (only the last rule can have no matches)"]),
        (
            [EVERY, {**EVERY, "name": "again"}],
            [
                '"again" match #0 is not used (duplicate/overlapping match in rule #0)',
                '"again" not used (all matches used by prior rules)',
            ],
        ),
    ],
)
def test_a_route_that_no_request_reaches_is_warned_about(routes: list[Obj], told: list[str]) -> None:
    """It is accepted all the same."""
    obj = {"kind": "VirtualService", "spec": {"hosts": ["a"], "http": routes}}
    assert istiod_validation.warnings(obj) == [f"virtualService rule {words}" for words in told]
    assert istiod_validation.problems(obj) == []
