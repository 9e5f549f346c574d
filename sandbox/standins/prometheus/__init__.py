"""Prometheus: a real one as a child process where the machine has one, else a small evaluator in memory.

In reading order: `scrape` (who exposes what), `storage` (samples in memory), `functions`, `matching` and `evaluate`
(PromQL, pure), `api` (the HTTP API), `child` (the real one), `standin`.
"""
