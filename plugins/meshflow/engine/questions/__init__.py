"""What each group of gates asks the cluster and its add-ons, put before the pure rules of meshflow.gates.

`asking` first: the words they share. Then one module per group, each with
`ask(kube, mesh, options) -> verdicts`: istio, injection, gateway, evidence and mtls (before and with strict mutual
TLS), observability, verification, flagger, preflight, traffic. `engine.gates` knows them by name.
"""
