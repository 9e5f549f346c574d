"""The API server without its HTTP: the store, the catalog, and the verbs over them.

`http.Application` and `client.Client` both call the verbs here, so a controller's write passes the same defaulting,
admission and bookkeeping as kubectl's. Each verb lives in a file of its own (writing, deleting, listing, watching).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.api import conversion
from sandbox.api.admission import Admission
from sandbox.api.calls import Call
from sandbox.api.catalog import Catalog
from sandbox.api.errors import no_such_resource
from sandbox.api.resources import Resource
from sandbox.api.watching import Watch
from sandbox.clock import Clock
from sandbox.network import Network
from sandbox.store.records import Record
from sandbox.store.store import Store

Obj = dict[str, Any]


class Server:
    """What every verb needs: where objects are, what is served, what time it is, who is asked for admission."""

    def __init__(self, *, clock: Clock, network: Network, store: Store | None = None, catalog: Catalog | None = None):
        self.clock = clock
        self.network = network
        self.watches: dict[Watch, tuple[Resource, str | None]] = {}  # open over HTTP; faults cut them
        self.store = store or Store()
        self.catalog = catalog or Catalog()
        self.admission = Admission(self, network)
        for resource in self.catalog.stored():
            self.store.open(resource.storage, since=0)

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return the resource of a kind. Raises ApiError 404 when it is not served."""
        found = self.catalog.of_kind(api_version, kind)
        if found is None:
            raise no_such_resource()
        return found

    def find(self, resource: Resource, namespace: str | None, name: str) -> Record | None:
        return self.store.get(resource.storage, namespace, name)

    def shown(self, resource: Resource, record: Record) -> Obj:
        """Return the object of a record in the version of the resource; not to be changed."""
        return conversion.convert(record.obj, resource.api_version)

    def context(self, call: Call) -> "Surroundings":
        return Surroundings(self.clock.now(), call.dry_run, call.user, self)


@dataclass(slots=True)
class Surroundings:
    """What a strategy may look at: the store as it is now, and who asks when."""

    now: datetime
    dry_run: bool
    user: str
    server: Server

    def get(self, group: str, kind: str, namespace: str | None, name: str) -> Obj | None:
        resource = self.server.catalog.stored_kind(group, kind)
        record = self.server.find(resource, namespace, name) if resource else None
        return record.obj if record else None

    def objects(self, group: str, kind: str, namespace: str | None = None) -> Iterable[Obj]:
        resource = self.server.catalog.stored_kind(group, kind)
        if resource is None:
            return ()
        return (record.obj for record in self.server.store.list(resource.storage, namespace))
