"""All controllers together, as one task.

    controllers = Controllers(server, client=lambda manager: Client(server, manager=manager), certificate=ca)
    task = asyncio.create_task(controllers.run())

`kubelet.behaviours`, `balancers.address` and `autoscalers.load` are the knobs for faults and stand-ins.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.controllers import nodes
from sandbox.controllers.autoscalers import Autoscalers
from sandbox.controllers.base import Controller
from sandbox.controllers.budgets import Budgets, Claims
from sandbox.controllers.daemonsets import DaemonSets
from sandbox.controllers.deployments import Deployments
from sandbox.controllers.endpoints import Endpoints
from sandbox.controllers.garbage import GarbageCollector
from sandbox.controllers.jobs import Jobs
from sandbox.controllers.kubelet import Kubelet
from sandbox.controllers.namespaces import Namespaces
from sandbox.controllers.replicasets import ReplicaSets
from sandbox.controllers.scheduler import Scheduler
from sandbox.controllers.statefulsets import StatefulSets
from sandbox.controllers.tokens import Tokens

if TYPE_CHECKING:
    from sandbox.api.server import Server
    from sandbox.client import Client

MANAGER = "kube-controller-manager"


class Controllers:
    """Every built-in controller, the scheduler and the node's agent."""

    def __init__(
        self,
        server: Server,
        client: Callable[[str], Client],
        *,
        certificate: str = "",
        issue: Callable[[str, str], str] = lambda namespace, name: secrets.token_urlsafe(32),
    ) -> None:
        common = (client(MANAGER), server.clock)
        self.kubelet = Kubelet(client("kubelet"), server.clock, node=nodes.NAME)
        self.balancers = nodes.LoadBalancers(client("cloud-controller-manager"), server.clock)
        self.autoscalers = Autoscalers(*common)
        self.all: tuple[Controller, ...] = (
            Namespaces(*common, server=server, certificate=certificate),
            GarbageCollector(*common, server=server),
            Deployments(*common),
            ReplicaSets(*common),
            StatefulSets(*common),
            DaemonSets(*common, node=nodes.identity()),
            Jobs(*common),
            self.autoscalers,
            Budgets(*common),
            Claims(*common),
            Tokens(*common, certificate=certificate, issue=issue),
            Scheduler(client("kube-scheduler"), server.clock, node=nodes.identity()),
            self.kubelet,
            Endpoints(*common),
            nodes.Nodes(client("kubelet"), server.clock),
            self.balancers,
        )

    async def run(self) -> None:
        """Run them all until cancelled."""
        async with asyncio.TaskGroup() as group:
            for controller in self.all:
                group.create_task(controller.run(), name=type(controller).__name__)

    @property
    def idle(self) -> bool:
        """No controller has anything to look at right now (timers may be pending)."""
        return all(controller.idle for controller in self.all)
