"""What the API server fills into built-in kinds, by the name of the struct in which it is missing.

Each module has CONSTANTS (struct → field → value, set where the field is absent) and RULES (struct → functions that
change it in place, for what depends on other fields). They run from the outside in; AFTER runs when everything below is
filled in. Only the object itself counts: addresses, service accounts and the like are given by sandbox/builtin.

Reading order: pods, workloads, services, cluster; table puts them together.
"""
