"""From Airflow's side to ours: a connection becomes a client, a home folder becomes a store.

Reading order: cluster, logins, store.
"""
