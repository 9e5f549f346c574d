"""All stand-ins, for the Supervisor."""

from __future__ import annotations

from sandbox.standins.base import StandIn
from sandbox.standins.flagger.standin import Flagger
from sandbox.standins.loadtester import LoadTester
from sandbox.standins.prometheus.standin import Prometheus

KINDS: tuple[type[StandIn], ...] = (Prometheus, LoadTester, Flagger)
