"""What the API server knows about the shape of objects. Pure functions over plain dicts: no I/O, no asyncio.

Reading order: node, builtin (with zeros), crd; parsing, reader, decode, quantity; defaults (tables in `defaulting/`),
validate (rules in `rules/`); plain and errors are used by all.

How a write goes through (the caller is sandbox/api):

    parsed  = decode.parse(body, yaml=False)            # Parsed(value, duplicates); raises Malformed (400)
    node    = builtin.of("apps", "v1", "Deployment")    # Node, None for a kind that is not built in
    node    = crd.compile(openapi, group=…, version=…, kind=…)   # Node of one version of a CRD; keep it, it is reused
    decoded = decode.decode(node, parsed.value, field_validation="Warn", duplicates=parsed.duplicates)
                                                        # Decoded(obj, warnings); raises WrongType (400 on POST and PUT,
                                                        # 422 on merge and JSON patch) and StrictFailure (same codes)
    defaults.apply(node, decoded.obj)                   # in place: defaults that depend on the object alone
    …ownership, admission, strategies…                  # patch.managed.track_update, webhooks, sandbox/builtin
    errors  = validate.validate(node, obj, old=None)    # list[FieldError(reason, field, message)], [] when valid;
                                                        # old is the stored object on update (immutable fields)

`decode.decode` returns a new object that shares nothing with its input: for a built-in kind unknown fields, nulls and
empty optional values are gone and quantities are in their normal form; for a custom resource unknown fields are pruned.
It also serves objects that come out of a patch, and out of stored form (then pass field_validation="Ignore").

A wrong JSON type in a custom resource is not an exception of decode: `validate.validate` reports it
(FieldValueTypeInvalid, 422).
"""
