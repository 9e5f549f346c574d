"""Four ways to change an object, and who owns its fields. Pure functions over plain dicts: no I/O, no asyncio.

Reading order: errors, merge, json_patch, strategic; then for server-side apply fieldset, typed, typing, merging,
managed, last_applied, apply.

    merge.apply(obj, patch) -> Obj
        RFC 7386; raises BadPatch (400) when the patch is no object.
    json_patch.apply(obj, operations) -> Obj
        RFC 6902; raises BadPatch (400) when it is no list of operations, DoesNotApply (422) when one does not apply.
    strategic.apply(node, obj, patch) -> Obj
        with $patch, $setElementOrder, $retainKeys, $deleteFromPrimitiveList; raises BadPatch (400).
    None of them changes its arguments. The result still has to be decoded (schema.decode.decode) and defaulted.

    managed.track_update(old, new, *, node, manager, api_version, now, subresource=None, foreign=()) -> list[entry]
        the managedFields after a POST (old=None), PUT or PATCH by this manager; `new` is decoded and defaulted, before
        admission. `now` is the RFC 3339 string of the write. Put the list into new["metadata"]["managedFields"] ([] =
        leave the key out). Returns the entries of `old` with their old times when nothing changed.

    apply.server_side_apply(live, applied, *, node, manager, api_version, now, force=False, subresource=None,
                            foreign=()) -> Obj
        the merged object with its new managedFields; live=None creates. Still to be decoded and defaulted by the caller
        (`decode.decode` with field_validation="Ignore"). A no-op returns an object equal to live. Raises Conflicts
        (409: .message, .causes = list of FieldError), NotTyped (500: unknown field, wrong type, duplicate key),
        BadPatch (400: managedFields in the body).

    `foreign`: paths of fields (tuples of names) that the endpoint does not write: status for the main resource of a
    kind with a status, everything but status for /status. They are not owned; the caller puts them back.

    managed.same_but_times(old, new) -> bool
        equal apart from times in managedFields and resourceVersion: a no-op, nothing is to be written.
"""
