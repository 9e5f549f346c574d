"""What makes an object invalid (422).

Reading order: names (the alphabets of names and labels), metadata, structural (custom resources by their schema); then
the built-in kinds: common, pods (with containers and scheduling), workloads, jobs, autoscaling, networking,
config, cluster, webhooks, definitions; table says which kind has which rule.

What an update may not change is the business of sandbox/builtin, except for definitions, jobs and storage.

A rule is a generator of FieldErrors over (object, stored object or None). All errors of an object are found together.
"""
