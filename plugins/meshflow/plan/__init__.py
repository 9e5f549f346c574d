"""Desired objects held against the live ones: what would change, who wrote it last, and why we leave some fields alone.

Reading order: model (the words), paths (how a field is named), ownership (managedFields), prepare (what we send),
ignore (whose fields we leave), compare (does it seem to differ), changes (what differs), prune, stages, render, digest.
"""
