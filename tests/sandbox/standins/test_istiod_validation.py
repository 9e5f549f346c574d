"""What istiod's validation refuses."""

from typing import Any

import pytest

from sandbox.standins import istiod_validation

Obj = dict[str, Any]

ROUTE = [{"destination": {"host": "frontend"}}]
SERVER = {"port": {"name": "http", "number": 80, "protocol": "HTTP"}, "hosts": ["*"]}
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
        ("PeerAuthentication", {"mtls": {"mode": "STRICT"}}),
        ("AuthorizationPolicy", {}),
        ("AuthorizationPolicy", {"action": "DENY", "rules": [{}]}),
        ("RequestAuthentication", {"jwtRules": [{"issuer": "a", "jwksUri": "https://a"}]}),
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
        ("ServiceEntry", {**EXTERNAL, "resolution": "STATIC"}, "endpoints must be provided"),
        ("ServiceEntry", {**EXTERNAL, "hosts": ["*.example.com"]}, "must be FQDN"),
        ("PeerAuthentication", {"portLevelMtls": {"80": {"mode": "DISABLE"}}}, "requires a selector"),
        ("AuthorizationPolicy", {"action": "CUSTOM"}, "`provider.name` must not be empty"),
        ("AuthorizationPolicy", {"action": "DENY"}, "never matches"),
        ("RequestAuthentication", {"jwtRules": [{"jwksUri": "https://a"}]}, "issuer must be set"),
    ],
)
def test_mistakes_that_no_schema_sees_are_refused(kind: str, spec: Obj, reason: str) -> None:
    """With the reason."""
    assert reason in reasons(kind, spec)
