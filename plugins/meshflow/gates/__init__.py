"""Gates: pure functions from what was observed to a verdict with numbers and a sentence.

Whoever observes hands over plain objects, decoded answers and samples; a question that could not be asked becomes
`model.error(gate, problem)`. Reading order: model (what a verdict is), queries (the PromQL that is asked), samples
(numbers that may be missing), then one module for each topic: istio, injection, gateway, mtls, observability, kiali,
flagger, rollout (preflight).
"""
