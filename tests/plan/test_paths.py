"""A path can be written for people and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow.plan import paths
from meshflow.plan.paths import Keyed, Path, Valued

NAMES = st.text(min_size=1, max_size=12)
SCALARS = st.one_of(st.text(max_size=8), st.integers(0, 99999), st.booleans())
KEY_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
STEPS = st.one_of(
    NAMES,
    st.integers(0, 50),
    st.builds(Valued, SCALARS),
    st.builds(lambda keys: Keyed(tuple(keys.items())), st.dictionaries(KEY_NAMES, SCALARS, min_size=1, max_size=3)),
)


@given(st.lists(STEPS, min_size=1, max_size=6).map(tuple))
def test_every_path_that_is_written_can_be_read(path: Path) -> None:
    assert paths.parse(paths.text(path)) == path


def test_paths_read_well() -> None:
    path = (
        "spec",
        "containers",
        Keyed((("name", "main"),)),
        "ports",
        Keyed((("containerPort", 80), ("protocol", "TCP"))),
    )
    assert paths.text(path) == 'spec.containers[name="main"].ports[containerPort=80,protocol="TCP"]'
    assert paths.text(("metadata", "labels", "istio.io/rev")) == 'metadata.labels["istio.io/rev"]'
    assert paths.text(("spec", "args", 0)) == "spec.args[0]"
    assert paths.text(("metadata", "finalizers", Valued("x/y"))) == 'metadata.finalizers[="x/y"]'


@pytest.mark.parametrize("nonsense", ["[", "a[", "a..b", 'a["x]', "a b"])
def test_what_is_no_path_is_refused(nonsense: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        paths.parse(nonsense)


def test_removing_takes_out_exactly_the_field_named() -> None:
    obj = {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}}
    paths.remove(obj, paths.parse('spec.containers[name="b"].image'))
    assert obj == {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}}
    paths.remove(obj, paths.parse('spec.containers[name="c"].image'))
    paths.remove(obj, paths.parse("spec.nothing.here"))
    assert obj == {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}}


def test_a_key_that_a_manifest_leaves_out_counts_as_equal() -> None:
    obj = {"ports": [{"port": 80, "nodePort": 0}, {"port": 81, "nodePort": 0}]}
    paths.remove(obj, paths.parse('ports[port=81,protocol="TCP"].nodePort'))
    assert obj == {"ports": [{"port": 80, "nodePort": 0}, {"port": 81}]}


def test_an_item_that_says_its_protocol_goes_before_one_that_leaves_it_out():
    """TCP is what is meant where none is given; what is said of the other port must not be done to this one."""
    items = [{"port": 53}, {"port": 53, "protocol": "UDP"}]
    assert paths.position_of(items, paths.Keyed((("port", 53), ("protocol", "UDP")))) == 1
    assert paths.position_of(items, paths.Keyed((("port", 53), ("protocol", "TCP")))) == 0
