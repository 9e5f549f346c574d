"""The API server. Reading order, along the path of a request:

- `http`        the ASGI application: who is it, faults, dispatch, errors become Status objects
- `routes`      paths taken apart; `replies` requests and answers; `protobuf` the few bodies kubectl sends that way
- `access`      tokens and rights; `reviews` questions about them
- `discovery`, `openapi`   what is served
- `resources`, `catalog`   the table of kinds, with their schemas and rules; `definitions` adds custom resources
- `endpoints`   the verbs over HTTP; `calls` the options of a request; `shapes` objects, Tables or metadata alone
- `server`      what every verb needs; the verbs themselves: `writing`, `deleting`, `listing`, `watching`
- `decoding`, `guards`, `meta`, `conversion`, `admission`   the steps of a write
- `scale`, `pods`, `proxy`  subresources that do something of their own
- `selectors`   labels and fields; `tables`, `columns`, `cells`, `pod_columns`, `json_path` what `kubectl get` prints
- `errors`      `ApiError` and every wording of it
"""
