"""What people and registries reach over HTTP, mounted by the plugin under /meshflow in Airflow's API server.

Reading order: app (the factory, and what is injected into it), push (the webhook: who may call it), arrivals (what
becomes of a push) with watching (which service follows which repository), records (the audit pages). Airflow itself
is touched in two modules only: runs (start and look at runs, the secret) and access (who is logged in). Both use parts
of Airflow that are no public interface: tests/web/test_web_runs.py and the scenario of a push hold them to their word.
"""
