"""A simulated Kubernetes cluster in one Python process: a test double, not a cluster.

Map, in reading order:

- `cluster`       puts everything together; `cli` and `__main__` are the command line; `control` is what it speaks
- `clock`         every delay and timestamp; `VirtualClock` for tests
- `store`         objects, versions, the log behind watches (objects are never changed in place)
- `api`           the API server; `client` gives access to it from within the process, through the same code as HTTP
- `schema`        OpenAPI of built-in and custom kinds: decoding, defaults, validation, pruning (pure)
- `patch`         JSON, merge and strategic patches, server-side apply and managedFields (pure)
- `builtin`       what each built-in kind does beyond its schema
- `controllers`   the built-in controllers, the scheduler and the node, on one frame (`controllers.base`)
- `selectors`     labels, and the selectors that objects carry
- `network`       in-cluster names: http://service.namespace:port answered by registered applications
- `serving`, `certificates`   HTTPS on loopback
- `standins`      istiod, Flagger, Prometheus, Grafana, Kiali, gateways, awake while their Deployments run
- `charts`        stand-in charts, the CRDs of Istio and Flagger, and the repository that serves them
- `registry`      an OCI registry (`oci` its content, `notifications` its webhooks)
- `traffic`       requests that nobody sends and the `metrics` they leave (`topology`, `flows`, `latency`, `telemetry`)
- `faults`        what goes wrong on request

How a write passes the seams:

    decode → (patch) → schema.defaults → strategy.prepare_* → patch.managed → mutating webhooks → schema.validate,
    strategy.validate* → validating webhooks → strategy.allocate → store (a write that changes nothing stores nothing)
"""
