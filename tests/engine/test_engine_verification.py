"""Which services have to be seen before the add-ons count as proven."""

from __future__ import annotations

from meshflow import settings
from meshflow.engine.questions import verification


def test_every_declared_service_that_answers_requests_has_to_be_seen() -> None:
    """Those of the manifests, whatever the cluster holds: one that is missing there must not be missed here."""
    assert verification.called_services(settings.load(environ={})) == [
        "api-gateway",
        "data-analysis",
        "data-modelling",
        "data-retrieval",
        "frontend",
        "session-management",
        "user-management",
    ]
