"""What holds for every object: found by trying many."""

import copy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.patch import fieldset, managed, merge, merging, strategic, typed
from sandbox.patch.errors import Conflicts
from sandbox.schema import builtin

many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

KEYS = st.sampled_from("abcd")
NAMES = st.lists(KEYS, unique=True, max_size=4)
DATA = st.dictionaries(KEYS, st.sampled_from("12"), max_size=4)
ROWS = st.builds(
    lambda names, values: [{"name": n, **values.get(n, {})} for n in names],
    NAMES,
    st.dictionaries(KEYS, st.sampled_from([{}, {"value": "1"}, {"value": "2"}])),
)
LISTS = {"labels": DATA, "rows": ROWS, "tags": NAMES, "plain": NAMES, "whole": DATA}
SPEC = st.fixed_dictionaries({"color": st.just("blue")}, optional=LISTS)
"""Never empty: who owns nothing at all is forgotten, and then the next apply meets an object without managers."""

LEAVES: st.SearchStrategy[dict[str, object]] = st.just({})
SETS = st.recursive(
    LEAVES, lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", 'k:{"n":1}']), inner, max_size=3), max_leaves=8
)
DEPLOYMENT = builtin.of("apps", "v1", "Deployment")


def fresh(widget):
    widget.obj, widget.writes = None, 0
    return widget


@many
@given(spec=SPEC)
def test_applying_twice_is_a_no_op(widget, spec):
    first = fresh(widget).apply({"spec": spec})
    assert managed.same_but_times(first, widget.apply({"spec": spec}))


@many
@given(one=SPEC, other=SPEC, last=SPEC)
def test_a_forced_apply_is_there_as_it_was_applied(widget, one, other, last):
    fresh(widget).apply({"spec": one}, "alice")
    widget.apply({"spec": other}, "bob", force=True)
    result = widget.apply({"spec": last}, "alice", force=True)
    assert typed.compare(widget.node, merging.merge(widget.node, result, {"spec": last}), result).modified == {}
    assert widget.owned("alice") == (typed.fields(widget.node, {"spec": last}) or None)


@many
@given(one=SPEC, other=SPEC)
def test_who_takes_everything_back_leaves_the_rest_as_if_never_there(widget, one, other):
    """bob applies, alice applies on top and leaves again: bob's fields are as he left them."""
    before = copy.deepcopy(fresh(widget).apply({"spec": one}, "bob"))
    try:
        widget.apply({"spec": other}, "alice")
    except Conflicts:
        return
    after = widget.apply({}, "alice")
    assert widget.owned("bob") == (typed.fields(widget.node, {"spec": one}) or None)
    assert typed.compare(widget.node.fields["spec"], before["spec"], after["spec"]).modified == {}
    assert widget.owned("alice") is None


@many
@given(old=DATA, new=DATA)
def test_no_field_has_two_update_owners_after_a_put(configmap, old, new):
    fresh(configmap).put({"data": old}, "one")
    configmap.put({**configmap.obj, "data": new}, "two")
    one, two = configmap.owned("one", "Update") or {}, configmap.owned("two", "Update") or {}
    assert fieldset.intersection(one, two) == {}


@many
@given(one=SETS, other=SETS)
def test_difference_and_intersection_make_the_set_again(one, other):
    apart = fieldset.difference(one, other)
    both = fieldset.intersection(one, other)
    assert set(fieldset.paths(fieldset.union(apart, both))) == set(fieldset.paths(one))
    assert set(fieldset.paths(fieldset.union(one, other))) == set(fieldset.paths(one)) | set(fieldset.paths(other))


@many
@given(old=DATA, new=DATA)
def test_a_merge_patch_of_the_difference_leads_to_the_new_object(old, new):
    patch = {**dict.fromkeys(old.keys() - new.keys()), **new}
    assert merge.apply({"data": old}, {"data": patch}) == {"data": new}


def three_way(original, modified, live):
    """The patch that kubectl apply makes: what goes is told from the original, what changes from the live object."""
    deletions = [{"name": name, "$patch": "delete"} for name in original if name not in modified and name in live]
    additions = [{"name": name, "image": "new"} for name in modified]
    order = {"$setElementOrder/containers": [{"name": name} for name in modified]}
    return {"spec": {"template": {"spec": {"containers": additions + deletions, **order}}}}


@many
@given(original=NAMES, modified=NAMES.filter(bool), live=NAMES)
def test_kubectls_patch_gives_its_items_their_order_and_keeps_that_of_others(original, modified, live):
    obj = {"spec": {"template": {"spec": {"containers": [{"name": name, "image": "old"} for name in live]}}}}
    patched = strategic.apply(DEPLOYMENT, obj, three_way(original, modified, live))
    found = [item["name"] for item in patched["spec"]["template"]["spec"].get("containers", [])]
    assert [name for name in found if name in modified] == modified
    others = [name for name in live if name not in modified and name not in original]
    assert [name for name in found if name not in modified] == others
