"""The store of the sandbox."""
