"""Stand-in charts and the repository that serves them.

The charts (folders below `repositories/`) have the real charts' names, values keys, object names, labels and ports,
and only what a mesh needs of the rest; every line is our own. Custom resources are written as compact tables, from
which the plain YAML in a packed chart is made.

Reading order: schema (the notation), networking, security, flagger (the tables), definitions (tables → CRDs),
packing (folder → archive), repository (archives over HTTP).
"""

from sandbox.charts.definitions import crds as crds
