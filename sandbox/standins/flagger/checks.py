"""Metric checks carried out: which server is asked what, and the verdict in Flagger's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.standins.flagger import analysis
from sandbox.standins.flagger.options import Options
from sandbox.standins.flagger.recorder import Recorder
from sandbox.standins.flagger.spec import Canary, Metric
from sandbox.standins.flagger.world import CANARY

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.clock import Clock
    from sandbox.network import Network


class Checks:
    """Asks Prometheus on behalf of Canaries."""

    def __init__(self, client: Client, clock: Clock, network: Network, recorder: Recorder, options: Options) -> None:
        self.client, self.clock, self.network = client, clock, network
        self.recorder, self.options = recorder, options

    async def measure(self, canary: Canary, metric: Metric) -> str | None:
        """None when the metric is within its bounds, else the message of the failed check."""
        try:
            template, server = await self._query(canary, metric)
            promql = analysis.render(template, canary, metric, self.clock)
            value = await analysis.ask(self.network, server, promql, namespace=self.options.own_namespace)
            if metric.name == analysis.DURATION and self.options.provider_of(canary) != "istio":
                value *= 1000  # what applications export themselves is in seconds
        except analysis.NoValues:
            return analysis.no_values(canary, metric, provider=self.options.provider_of(canary))
        except analysis.QueryFailed as error:
            return analysis.failed(metric, error)
        except analysis.Unusable as error:
            return str(error)
        self.recorder.analysis(canary, metric.name, value / 1000 if metric.name == analysis.DURATION else value)
        return analysis.judge(canary, metric, value)

    async def problem_of_servers(self, canary: Canary) -> str | None:
        """None when every server that the Canary's metrics ask is there, else why one is not.

        Those of queries in the Canary itself are not looked at.
        """
        for metric in canary.analysis.metrics:
            if metric.template is None and metric.name not in (analysis.SUCCESS_RATE, analysis.DURATION):
                continue
            try:
                _, server = await self._query(canary, metric)
                await analysis.ask(self.network, server, analysis.ONLINE, namespace=self.options.own_namespace)
            except analysis.Unusable as error:
                return str(error).replace("Metric template", "metric template", 1)
            except (analysis.NoValues, analysis.QueryFailed) as error:
                namespace, name = metric.template or ("", "")
                where = f"prometheus in metric template {name}.{namespace}" if metric.template else "prometheus"
                return f"{where} not avaiable: running query failed: {error or 'no values found'}"
        return None

    async def _query(self, canary: Canary, metric: Metric) -> tuple[str, str]:
        """The query's text and the server to ask."""
        server = canary.spec.get("metricsServer") or self.options.metrics_server
        if metric.template is None:
            query = metric.query or analysis.BUILTIN[self.options.provider_of(canary)].get(metric.name)
            if query is None:
                raise analysis.Unusable("Metric query failed for no usable metrics template and query were configured")
            return query, server
        namespace, name = metric.template
        template = await self.client.get(CANARY, "MetricTemplate", name, namespace)
        if template is None:
            text = f'Metric template {name}.{namespace} error: metrictemplate.flagger.app "{name}" not found'
            raise analysis.Unusable(text)
        provider = template["spec"]["provider"]
        if provider.get("type") != "prometheus":
            raise analysis.QueryFailed(f"provider {provider.get('type')} is not simulated, only prometheus is")
        return template["spec"]["query"], provider["address"]
