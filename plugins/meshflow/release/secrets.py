"""What may not be written down: secrets are masked before a document leaves the process.

A safety net, not a licence: nothing hands secrets to records on purpose. A value is masked when the name of its field
says that it is one (a field that only names a Secret, such as `secretName`, does not), or when it looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MASK = "***"

FIELD = re.compile(
    r"(password|passwd|passphrase|token|secret|authorization|api[-_ ]?key|private[-_ ]?key|credentials?|cookie|jwt)$",
    re.IGNORECASE,
)
VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|\b(?:gh[pousr]|github_pat|dckr_pat|glpat|xox[abp])[-_][A-Za-z0-9_-]{16,}"
    r"|(?i:(?<=password=)|(?<=passwd=)|(?<=token=)|(?<=secret=)|(?<=api_key=)|(?<=apikey=))[^\s&;,'\"]+"
)


class Masked(NamedTuple):
    """A document without secrets, and the dotted paths of the values that were masked."""

    document: Any
    paths: tuple[str, ...]


def mask(document: Any) -> Masked:
    """The document with every secret replaced by `MASK`. Returns a copy; what was given stays as it is."""
    paths: list[str] = []
    return Masked(_masked(document, "", paths, secret=False), tuple(paths))


def _masked(value: Any, path: str, paths: list[str], *, secret: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _masked(item, f"{path}.{key}".lstrip("."), paths, secret=bool(FIELD.search(str(key))))
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item, f"{path}[{place}]", paths, secret=secret) for place, item in enumerate(value)]
    if secret and value not in (None, "", True, False):
        paths.append(path)
        return MASK
    if isinstance(value, str) and VALUE.search(value):
        paths.append(path)
        return MASK if value.startswith("-----BEGIN") else VALUE.sub(MASK, value)
    return value
