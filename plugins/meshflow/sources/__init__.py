"""From files and charts to objects.

Reading order: rendered (what comes out), manifests (YAML), schema (which fields there are), kustomize (with
kustomization, transforms, patches and generators), helm (the engine that renders charts, and the only code that loads
its library), values (of charts), charts (one chart of mesh.yaml), definitions (schemas of custom resources, out of the
charts), render (a phase or a service put together).
"""
