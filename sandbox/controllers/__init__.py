"""The built-in controllers and the node: what makes of an object in the store something that runs.

Reading order: base (the frame of every loop), owners, conditions, events, pods (shared words), then
  rollout, progress, deployments, replicasets     from a Deployment to its pods
  statefulsets, daemonsets, revisions, jobs       the other kinds that make pods
  scheduler, kubelet, runs, life, behaviour,
  pod_status, pod_events                          the node, and what may go wrong on it
  endpoints, nodes, autoscalers, budgets          Services' addresses, load balancers, sizes
  namespaces, garbage                             what ends with what
  tokens                                          Secrets with the token of a ServiceAccount
  manager                                         all of them as one task
"""
