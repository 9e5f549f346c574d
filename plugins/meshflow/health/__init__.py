"""Pure judgement of one live object.

Reading order: model (the words), judge (the table of kinds), conditions (what all kinds share), then one file per
family: workloads, pods, jobs, services, storage, scaling, namespaces, definitions, webhooks, mesh, canaries.
"""
