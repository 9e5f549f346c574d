"""A release: one service, one image digest, who asked for it and why.

Reading order: request (what is asked), outcome (how it can end), policy (a push meets a running rollout), image (the
patch that starts it), quarantine (digests that may not come back), blue_green (switching without Flagger), record and
chain (what stays afterwards).
"""
