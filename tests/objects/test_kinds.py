"""Kinds are looked up, never guessed."""

from __future__ import annotations

import pytest

from meshflow.errors import InvalidInput
from meshflow.objects.kinds import Kinds

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "geese.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Goose", "plural": "geese"},
        "versions": [
            {"name": "v1alpha1", "served": True, "storage": False},
            {"name": "v1", "served": True, "storage": True},
            {"name": "v0", "served": False, "storage": False},
        ],
    },
}


@pytest.mark.parametrize(
    ("api_version", "kind", "plural"),
    [
        ("networking.istio.io/v1", "ServiceEntry", "serviceentries"),
        ("security.istio.io/v1", "AuthorizationPolicy", "authorizationpolicies"),
        ("telemetry.istio.io/v1", "Telemetry", "telemetries"),
        ("flagger.app/v1beta1", "Canary", "canaries"),
        ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "network-attachment-definitions"),
        ("v1", "Endpoints", "endpoints"),
    ],
)
def test_plurals_that_a_rule_would_get_wrong_are_right(api_version: str, kind: str, plural: str) -> None:
    assert Kinds.builtin().of(api_version, kind).plural == plural


def test_a_path_has_the_namespace_only_where_the_kind_has_one() -> None:
    kinds = Kinds.builtin()
    assert kinds.of("apps/v1", "Deployment").path("shop", "web") == "/apis/apps/v1/namespaces/shop/deployments/web"
    assert kinds.of("apps/v1", "Deployment").path() == "/apis/apps/v1/deployments"
    assert kinds.of("v1", "Namespace").path("shop", "shop") == "/api/v1/namespaces/shop"


def test_an_unknown_kind_is_refused_with_its_name() -> None:
    with pytest.raises(InvalidInput, match=r"kind Goose of example\.com/v1 is not known"):
        Kinds.builtin().of("example.com/v1", "Goose")


def test_an_unknown_version_of_a_known_kind_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="known versions: v1, v1beta1, v1alpha3"):
        Kinds.builtin().of("networking.istio.io/v2", "VirtualService")


def test_a_definition_teaches_its_served_versions_and_prefers_the_stored_one() -> None:
    kinds = Kinds.builtin()
    kinds.learn(DEFINITION)
    assert kinds.of("example.com/v1alpha1", "Goose").plural == "geese"
    found = kinds.find("example.com", "Goose")
    assert found is not None
    assert found.version == "v1"
    assert kinds.find("example.com", "Goose", version="v0") is None


def test_what_one_copy_learns_no_other_knows() -> None:
    taught = Kinds.builtin()
    taught.learn(DEFINITION)
    assert Kinds.builtin().find("example.com", "Goose") is None


def test_kinds_of_one_name_in_two_groups_are_kept_apart() -> None:
    kinds = Kinds.builtin()
    assert kinds.of("networking.istio.io/v1", "Gateway").resource == "gateways.networking.istio.io"
    assert kinds.of("gateway.networking.k8s.io/v1", "Gateway").resource == "gateways.gateway.networking.k8s.io"
