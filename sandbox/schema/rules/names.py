"""The alphabets of names, label keys and label values."""

from __future__ import annotations

import re
from collections.abc import Iterator

LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_1123 = rf"{LABEL_1123}(\.{LABEL_1123})*"
LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = f"({QUALIFIED})?"
CONFIG_KEY = "[-._a-zA-Z0-9]+"
ENV_NAME = re.compile(r"[^=\x00-\x1f\x7f]+")
PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

_PATTERNS = {
    text: re.compile(text) for text in (LABEL_1123, SUBDOMAIN_1123, LABEL_1035, QUALIFIED, LABEL_VALUE, CONFIG_KEY)
}


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is in one of the alphabets above."""
    return _PATTERNS[pattern].fullmatch(text) is not None


def label_1123(text: str) -> Iterator[str]:
    if len(text) > 63:
        yield "must be no more than 63 characters"
    if not matches(LABEL_1123, text):
        yield (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
            f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL_1123}')"
        )


def label_1035(text: str) -> Iterator[str]:
    if len(text) > 63:
        yield "must be no more than 63 characters"
    if not matches(LABEL_1035, text):
        yield (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
            "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
            f"'{LABEL_1035}')"
        )


def subdomain(text: str) -> Iterator[str]:
    if len(text) > 253:
        yield "must be no more than 253 characters"
    if not matches(SUBDOMAIN_1123, text):
        yield (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
            f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN_1123}')"
        )


def path_segment(text: str) -> Iterator[str]:
    if text in (".", ".."):
        yield f"may not be '{text}'"
    for character in "/%":
        if character in text:
            yield f"may not contain '{character}'"


def qualified(text: str) -> Iterator[str]:
    """A label key, annotation key or the like: an optional DNS prefix and a name."""
    prefix, slash, name = text.rpartition("/")
    if slash:
        if not prefix:
            yield "prefix part must be non-empty"
        else:
            yield from (f"prefix part {problem}" for problem in subdomain(prefix))
    if not name:
        yield "name part must be non-empty"
    elif len(name) > 63:
        yield "name part must be no more than 63 characters"
    if not matches(QUALIFIED, name):
        yield (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
            f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{QUALIFIED}')"
        )


def label_value(text: str) -> Iterator[str]:
    if len(text) > 63:
        yield "must be no more than 63 characters"
    if not matches(LABEL_VALUE, text):
        yield (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
            "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            f"'{LABEL_VALUE}')"
        )


def config_key(text: str) -> Iterator[str]:
    """A key of a ConfigMap or Secret."""
    if len(text) > 253:
        yield "must be no more than 253 characters"
    if not matches(CONFIG_KEY, text):
        yield (
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
            f"'key-name', regex used for validation is '{CONFIG_KEY}')"
        )


def port_name(text: str) -> Iterator[str]:
    if len(text) > 15:
        yield "must be no more than 15 characters"
    if not PORT_NAME.fullmatch(text):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    elif not re.search("[a-z]", text):
        yield "must contain at least one letter (a-z)"
