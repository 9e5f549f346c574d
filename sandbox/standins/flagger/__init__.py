"""Flagger 1.44 as far as a Canary of a Deployment on Istio can tell.

In reading order: `spec` (a Canary read into facts), `status` (phases and the pure changes of the status), `effects`
and `machine` (the state machine, pure), `hashing`, `configs`, `workloads`, `routes`, `autoscaler` (the objects it
makes, pure), `analysis`, `options`, `webhooks`, `events`, `recorder`, `world` and `ledger` (reads and writes),
`checks`, `operator` (jobs and ticks), `standin`.

Not simulated: other mesh providers than istio (and `kubernetes`, for blue/green without a mesh), targets other than
Deployments, session affinity, alerts and KEDA.
"""
