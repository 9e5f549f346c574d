"""Gates: pure functions from what was observed to a verdict with numbers and a sentence.

Reading order: model (what a verdict is), samples (numbers that may be missing), then one module per topic: istio,
injection, gateway, mtls, observability, kiali, flagger, rollout (preflight).
"""
