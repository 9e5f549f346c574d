"""Where objects are: `records` (states and events, which never change), `store` (all objects, versions, the log)."""
