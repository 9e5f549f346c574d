"""From files and charts to objects.

Reading order: rendered (what comes out), manifests (YAML), strict (schemas of the built-in kinds), kustomize (with
transforms and patches), helm (charts, the only code that loads the Helm library), values, render (a phase or a service
put together).
"""
