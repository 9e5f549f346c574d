"""Waiting, in the triggerer. A trigger only reads, may run twice, and carries nothing but names.

Reading order: cluster (one stream per cluster, however many waiters), health, rollout, gates.
"""
