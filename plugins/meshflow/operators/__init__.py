"""Airflow tasks. Each one fetches, calls a pure rule or the engine, and reports; none decides anything itself.

Reading order: retries (errors → Airflow's retries), frame (what all DAGs share), base (the common ground of our
tasks), render, plan, approve, waits, apply, restart, rollout (and ways: in_place, blue_green), rollback, drift, record.
"""
