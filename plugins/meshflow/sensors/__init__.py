"""Tasks that only look: they pass when what they wait for is observed.

Reading order: gates, rollout (those before a release).
"""
