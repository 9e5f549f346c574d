"""A release: one service, one image digest, who asked for it and why.

Reading order: request (what is asked), outcome (how it can end), policy (a push meets a running rollout), quarantine
(digests that may not come back), secrets (what may not be written down), record and chain (what stays afterwards).
"""
