"""Where traffic goes, by the VirtualService."""

from __future__ import annotations

import pytest

from meshflow.mesh.weights import Traffic, Weights, weights


def to(host: str, weight: int | None = None, **more):
    return {"destination": {"host": host}, **({} if weight is None else {"weight": weight}), **more}


def service(*routes, kind="http", version="v1"):
    return {"apiVersion": f"networking.istio.io/{version}", "spec": {kind: list(routes)}}


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize(
    ("primary", "canary", "traffic"),
    [(100, 0, Traffic.PRIMARY), (80, 20, Traffic.SPLIT), (0, 100, Traffic.CANARY)],
)
def test_the_split_is_read_in_both_versions(version, primary, canary, traffic):
    route = {"route": [to("web-primary", primary), to("web-canary", canary)]}
    found = weights(service(route, version=version), service="web")
    assert found == Weights(primary, canary)
    assert found.traffic is traffic


def test_full_host_names_and_tcp_routes_are_read_too():
    route = {"route": [to("web-primary.weather.svc.cluster.local", 90), to("web-canary.weather", 10)]}
    assert weights(service(route, kind="tcp"), service="web") == Weights(90, 10)


def test_with_ab_conditions_the_split_is_of_matching_requests_only():
    matching = {"match": [{"headers": {}}], "route": [to("web-primary", 0), to("web-canary", 100)]}
    found = weights(service(matching, {"route": [to("web-primary", 100)]}), service="web")
    assert found == Weights(0, 100, matched=True)
    assert "matching" in str(found)


def test_with_session_affinity_the_route_that_sets_cookies_is_the_one_that_splits():
    sticky = {"match": [{"headers": {"Cookie": {}}}], "route": [to("web-primary", 0), to("web-canary", 100)]}
    splitting = {"route": [to("web-primary", 70), to("web-canary", 30, headers={"response": {}})]}
    assert weights(service(sticky, splitting), service="web") == Weights(70, 30)


@pytest.mark.parametrize("found", [None, {}, service({"route": [to("web")]}), {"spec": None}])
def test_no_route_to_a_canary_is_no_split(found):
    assert weights(found, service="web") is None


def test_of_several_routes_the_one_with_most_on_the_canary_counts():
    """Somebody may have added one by hand: nothing is on the primary because another route says so."""
    by_hand = {"match": [{"uri": {}}], "route": [to("web-primary", 40), to("web-canary", 60)]}
    flaggers = {"route": [to("web-primary", 100), to("web-canary", 0)]}
    found = weights(service(by_hand, flaggers), service="web")
    assert found is not None
    assert found.canary == 60


def test_destinations_of_one_host_are_counted_together():
    route = {"route": [to("web-primary", 70), to("web-canary", 30), to("web-canary", 0)]}
    assert weights(service(route), service="web") == Weights(70, 30)
