"""The JSON paths of printer columns: `.spec.hosts`, `.status.conditions[?(@.type=="Ready")].status`, `.a['b.c'][0]`.

Only what definitions use: fields, quoted fields, indexes, `[*]`, and filters that compare one field with a constant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""\.?(?P<field>[A-Za-z0-9_-]+(?:\\\.[A-Za-z0-9_/-]+)*)
    |\[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]
    |\[(?P<index>-?\d+)\]
    |(?P<all>\[\*\]|\.\*)
    |\[\?\(\s*@(?P<path>[^=!<>\s]+)\s*(?P<operator>==|!=)\s*(?P<constant>.+?)\s*\)\]""",
    re.VERBOSE,
)


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a path. What cannot be understood finds nothing."""
    text = text.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            return (_nothing,)
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def find(value: Any, path: tuple[Step, ...]) -> list[Any]:
    """All values at the path, in order."""
    found = [value]
    for step in path:
        found = [inner for outer in found for inner in step(outer)]
    return found


def _step(match: re.Match[str]) -> Step:
    if match["field"] is not None or match["quoted"] is not None:
        key = match["quoted"] if match["quoted"] is not None else match["field"].replace("\\.", ".")
        return lambda value: iter([value[key]] if isinstance(value, dict) and key in value else [])
    if match["index"] is not None:
        index = int(match["index"])
        return lambda value: iter(value[index:][:1] if isinstance(value, list) else [])
    if match["all"]:
        return lambda value: iter(
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        )
    return _filter(parse(match["path"]), match["operator"] == "==", _constant(match["constant"]))


def _filter(path: tuple[Step, ...], equal: bool, constant: Any) -> Step:
    def step(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            if (constant in find(item, path)) is equal:
                yield item

    return step


def _constant(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _nothing(value: Any) -> Iterator[Any]:
    return iter(())
