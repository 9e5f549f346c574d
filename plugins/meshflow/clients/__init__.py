"""I/O without Airflow: one thin async client per system that we talk to.

Reading order: statuses (errors as sentences), transport (requests and retries), answers (what comes back), kube
(verbs), scopes and watch (one watch for many waiters), door (a service behind the proxy or a URL), session (a login),
prometheus, grafana, kiali; web (HTTP errors), oci (image names, tokens), charts, registry.
"""
