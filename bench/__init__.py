"""Measured comparisons with other tools, on the sandbox: `make bench`.

Reading order: comparison (what a row is), cluster (the sandbox and the objects), against_kubectl, against_watches.

Each row holds Meshflow against a named tool that does the same work in the same run, on the same server, with the same
objects. Read the ratios: the seconds are those of one Python process that plays an API server, on this machine, now.
"""
