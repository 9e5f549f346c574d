"""The custom resources of Istio and Flagger."""

from typing import Any

from sandbox import charts

Obj = dict[str, Any]


def definitions() -> dict[str, Obj]:
    return {crd["metadata"]["name"]: crd for crd in charts.crds()}


def schema_of(name: str, version: str = "v1") -> Obj:
    versions = definitions()[name]["spec"]["versions"]
    found: Obj = next(v["schema"]["openAPIV3Schema"] for v in versions if v["name"] == version)
    return found


def field(schema: Obj, path: str) -> Obj:
    for part in path.split("."):
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    return schema


def test_istio_serves_its_older_versions_and_stores_v1() -> None:
    """Flagger writes v1beta1, Meshflow reads v1."""
    versions = definitions()["virtualservices.networking.istio.io"]["spec"]["versions"]
    assert {v["name"]: (v["served"], v["storage"]) for v in versions} == {
        "v1": (True, True),
        "v1alpha3": (True, False),
        "v1beta1": (True, False),
    }


def test_exactly_one_version_of_each_is_stored() -> None:
    """As the API server demands."""
    for name, crd in definitions().items():
        assert sum(version["storage"] for version in crd["spec"]["versions"]) == 1, name


def test_names_are_not_guessed() -> None:
    """Plurals that no rule gives."""
    wanted = {"canaries.flagger.app", "authorizationpolicies.security.istio.io", "telemetries.telemetry.istio.io"}
    assert wanted <= set(definitions())


def test_a_status_is_a_subresource_everywhere() -> None:
    """So an apply of the object leaves it alone."""
    for crd in charts.crds():
        assert all(version["subresources"] == {"status": {}} for version in crd["spec"]["versions"])


def test_usual_fields_are_typed_to_the_end() -> None:
    """A typo in a route is not swallowed."""
    route = field(schema_of("virtualservices.networking.istio.io"), "spec.http.[].route.[]")
    assert set(route["properties"]) == {"destination", "headers", "weight"}
    assert route["required"] == ["destination"]
    mode = field(schema_of("peerauthentications.security.istio.io"), "spec.mtls.mode")
    assert mode["enum"] == ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]
    analysis = field(schema_of("canaries.flagger.app", "v1beta1"), "spec.analysis")
    assert "x-kubernetes-preserve-unknown-fields" not in analysis
    assert "stepWeights" in analysis["properties"]


def test_each_call_makes_new_objects() -> None:
    """What one caller changes, another does not see."""
    charts.crds()[0]["spec"]["group"] = "changed"
    assert charts.crds()[0]["spec"]["group"] != "changed"
