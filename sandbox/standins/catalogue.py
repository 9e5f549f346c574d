"""Which stand-ins there are."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.standins.base import StandIn
from sandbox.standins.flagger.standin import Flagger
from sandbox.standins.gateway import Gateway
from sandbox.standins.grafana import Grafana
from sandbox.standins.istiod import Istiod
from sandbox.standins.kiali import Kiali
from sandbox.standins.loadtester import LoadTester
from sandbox.standins.prometheus.standin import Prometheus

KINDS: Sequence[type[StandIn]] = (Istiod, Gateway, Prometheus, Grafana, Kiali, Flagger, LoadTester)
