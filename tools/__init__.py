"""What the Makefile runs: a local stack of sandbox and Airflow, the demo on it, the lock of the charts.

Reading order: guard, processes, stack, airflow_api, cluster_api, demo, lock.
"""
