"""A simulated Kubernetes cluster in one Python process: a test double, not a cluster.

Map, in reading order:

- `cluster`       puts everything together; `cli` and `__main__` are the command line
- `clock`         every delay and timestamp; `VirtualClock` for tests
- `store`         objects, versions, the log behind watches (objects are never changed in place)
- `api.errors`    `ApiError` and the Status objects; `api.resources` the table of kinds
- `api`           the request path: routing, options, admission, writing, deleting, listing, watching
- `schema`        OpenAPI of built-in and custom kinds: defaults, validation, pruning (pure)
- `patch`         JSON, merge and strategic patches, server-side apply and managedFields (pure)
- `builtin`       what each built-in kind does beyond its schema (`builtin.strategy.Strategy`)
- `controllers`   the built-in controllers on `controllers.base.Controller`
- `client`        `Client`: in-process access through the same code as HTTP
- `network`       in-cluster names: http://service.namespace:port answered by registered applications
- `control`       `/_sandbox/…`, what the command line speaks
- `standins`      istiod, Flagger, Prometheus, Grafana, Kiali, gateways, awake while their Deployments run

How a write passes the seams:

    decode → (patch) → schema.defaults → strategy.prepare_* → mutating webhooks → defaults → schema.validation +
    strategy.validate* → validating webhooks → strategy.allocate → managedFields → store (a no-op writes nothing)
"""
