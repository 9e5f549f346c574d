"""The order of writing is total."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshflow.objects import order
from meshflow.objects.kinds import Kinds
from meshflow.objects.reference import Reference

REFERENCES = st.builds(
    lambda kind, namespace, name: kind.reference(namespace, name),
    st.sampled_from(sorted(Kinds.builtin())),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["x", "y", "z"]),
)


def test_what_others_need_comes_first() -> None:
    wanted = [
        Reference("", "Namespace", None, "shop"),
        Reference("apiextensions.k8s.io", "CustomResourceDefinition", None, "canaries.flagger.app"),
        Reference("", "ServiceAccount", "shop", "web"),
        Reference("", "Service", "shop", "web"),
        Reference("apps", "Deployment", "shop", "web"),
        Reference("networking.istio.io", "DestinationRule", "shop", "web"),
        Reference("networking.istio.io", "VirtualService", "shop", "web"),
        Reference("example.com", "Anything", "shop", "web"),
        Reference("flagger.app", "Canary", "shop", "web"),
        Reference("admissionregistration.k8s.io", "MutatingWebhookConfiguration", None, "injector"),
    ]
    assert order.ordered(reversed(wanted)) == wanted


@given(st.lists(REFERENCES), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_input(references: list[Reference], random: object) -> None:
    shuffled = list(references)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order.ordered(references) == order.ordered(shuffled)


@given(st.lists(REFERENCES, unique=True))
def test_ranks_hold_every_reference_once_and_in_order(references: list[Reference]) -> None:
    ranks = order.ranks(references)
    assert [reference for rank in ranks for reference in rank] == order.ordered(references)
    assert all(len({order.rank(reference) for reference in rank}) == 1 for rank in ranks)
