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
PORT_NAME = re.compile(r"[a-z0-9-]+")

_PATTERNS = {
    text: re.compile(text) for text in (LABEL_1123, SUBDOMAIN_1123, LABEL_1035, QUALIFIED, LABEL_VALUE, CONFIG_KEY)
}


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is in one of the alphabets above."""
    return _PATTERNS[pattern].fullmatch(text) is not None


def _wrong(what: str, rule: str, examples: tuple[str, ...], pattern: str) -> str:
    """The sentence for a text that is not in its alphabet. (The two spaces before `or` are the API server's.)"""
    shown = ",  or ".join(f"'{example}'" for example in examples)
    return f"{what} must {rule} (e.g. {shown}, regex used for validation is '{pattern}')"


ENDS = "must start and end with an alphanumeric character"
SIGNS = "alphanumeric characters, '-', '_' or '.'"
BAD_LABEL_1123 = _wrong(
    "a lowercase RFC 1123 label",
    f"consist of lower case alphanumeric characters or '-', and {ENDS}",
    ("my-name", "123-abc"),
    LABEL_1123,
)
BAD_LABEL_1035 = _wrong(
    "a DNS-1035 label",
    "consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    ("my-name", "abc-123"),
    LABEL_1035,
)
BAD_SUBDOMAIN = _wrong(
    "a lowercase RFC 1123 subdomain",
    f"consist of lower case alphanumeric characters, '-' or '.', and {ENDS}",
    ("example.com",),
    SUBDOMAIN_1123,
)
BAD_QUALIFIED = _wrong("name part", f"consist of {SIGNS}, and {ENDS}", ("MyName", "my.name", "123-abc"), QUALIFIED)
BAD_LABEL_VALUE = _wrong(
    "a valid label",
    f"be an empty string or consist of {SIGNS}, and {ENDS}",
    ("MyValue", "my_value", "12345"),
    LABEL_VALUE,
)
BAD_CONFIG_KEY = _wrong("a valid config key", f"consist of {SIGNS}", ("key.name", "KEY_NAME", "key-name"), CONFIG_KEY)


def _checked(text: str, pattern: str, problem: str, *, longest: int, unit: str = "characters") -> Iterator[str]:
    if len(text) > longest:
        yield f"must be no more than {longest} {unit}"
    if not matches(pattern, text):
        yield problem


def label_1123(text: str) -> Iterator[str]:
    return _checked(text, LABEL_1123, BAD_LABEL_1123, longest=63)


def label_1035(text: str) -> Iterator[str]:
    return _checked(text, LABEL_1035, BAD_LABEL_1035, longest=63)


def subdomain(text: str) -> Iterator[str]:
    return _checked(text, SUBDOMAIN_1123, BAD_SUBDOMAIN, longest=253)


def label_value(text: str) -> Iterator[str]:
    return _checked(text, LABEL_VALUE, BAD_LABEL_VALUE, longest=63, unit="bytes")


def config_key(text: str) -> Iterator[str]:
    """A key of a ConfigMap or Secret."""
    return _checked(text, CONFIG_KEY, BAD_CONFIG_KEY, longest=253)


def path_segment(text: str) -> Iterator[str]:
    if text in (".", ".."):
        yield f"may not be '{text}'"
    for character in "/%":
        if character in text:
            yield f"may not contain '{character}'"


def qualified(text: str) -> Iterator[str]:
    """A label key, annotation key or the like: an optional DNS prefix and a name."""
    prefix, slash, name = text.rpartition("/")
    if slash and not prefix:
        yield "prefix part must be non-empty"
    elif slash:
        yield from (f"prefix part {problem}" for problem in subdomain(prefix))
    if not name:
        yield "name part must be non-empty"
    elif len(name) > 63:
        yield "name part must be no more than 63 bytes"
    if not matches(QUALIFIED, name):
        yield BAD_QUALIFIED


def port_name(text: str) -> Iterator[str]:
    if len(text) > 15:
        yield "must be no more than 15 characters"
    if not PORT_NAME.fullmatch(text):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search("[a-z]", text):
        yield "must contain at least one letter (a-z)"
    if "--" in text:
        yield "must not contain consecutive hyphens"
    if text[:1] == "-" or text[-1:] == "-":
        yield "must not begin or end with a hyphen"
