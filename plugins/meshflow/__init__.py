"""Meshflow: plans, applies, gates and records what puts an application on an Istio mesh.

Reading order: errors, declared, settings, objects, plan, health, mesh, gates, release (pure rules);
clients, sources (I/O); engine (both put together, without Airflow); hooks, operators, sensors, triggers, web (Airflow).
"""
