"""I/O without Airflow: one thin async client per system that we talk to.

Reading order: statuses (errors as sentences), transport (requests and retries), kube (verbs), watch (one watch for many
waiters), door (a service behind the proxy or a URL), prometheus, grafana, kiali; web (HTTP errors), oci (image names,
tokens), charts, registry.
"""
