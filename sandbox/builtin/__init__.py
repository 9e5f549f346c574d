"""What the API server knows about each built-in kind beyond its schema.

Reading order: strategy (the protocol and the answer for a kind without rules of its own), strategies (which kind has
which), then one file per family of kinds. Everything here is synchronous and pure but for the `Context` it is handed,
so the API server can call it between reading and writing without losing its turn.
"""
