"""Lists: selection, pages that show one state, and the rules of resourceVersion.

A continue token is the version of the first page and the key where the next one starts. Later pages are cut from the
state at that version, which the store rebuilds from its log; when the log no longer reaches back, the answer is 410
with a token that goes on in the present.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.api import conversion, selectors
from sandbox.api.calls import Query, integer
from sandbox.api.errors import bad_request, expired, invalid_options, timeout
from sandbox.api.resources import Resource
from sandbox.schema.errors import FieldError, Reason
from sandbox.store.records import Record
from sandbox.store.store import Expired, Key

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
GONE = "The provided continue parameter is too old to display a consistent list result."
WAIT_FOR_FUTURE = 3.0  # real seconds, as the real server waits


class Selection:
    """What a list or watch selects: a namespace (None: all), labels and fields."""

    def __init__(self, resource: Resource, namespace: str | None, query: Query) -> None:
        self.namespace = namespace
        self._label_text, self._field_text = query.get("labelSelector", ""), query.get("fieldSelector", "")
        self._labels = selectors.labels(self._label_text) if self._label_text else None
        allowed: Iterable[str] = selectors.FIELDS.get((resource.storage[0], resource.kind), ())
        if resource.definition is not None:
            version = next(v for v in resource.definition["versions"] if v["name"] == resource.version)
            allowed = [field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or []]
        self._fields = selectors.fields(self._field_text, allowed) if self._field_text else None
        self.name = selectors.name_in(self._field_text)

    @property
    def partial(self) -> bool:
        """Whether selectors leave something out (then the rest is not counted)."""
        return bool(self._label_text or self._field_text)

    def __call__(self, obj: Obj) -> bool:
        """Whether an object is selected."""
        if self.namespace is not None and obj["metadata"].get("namespace") != self.namespace:
            return False
        if self._labels is not None and not self._labels(obj["metadata"].get("labels") or {}):
            return False
        return self._fields is None or self._fields(obj)


class Page(NamedTuple):
    """One page of a list."""

    records: list[Record]
    version: int
    token: str | None = None
    remaining: int | None = None

    def metadata(self) -> Obj:
        found: Obj = {"resourceVersion": str(self.version)}
        if self.token:
            found["continue"] = self.token
            if self.remaining is not None:
                found["remainingItemCount"] = self.remaining
        return found


async def page(server: "Server", resource: Resource, namespace: str | None, query: Query) -> Page:
    """Return the page of a list that the query asks for."""
    selection = Selection(resource, namespace, query)
    limit = integer(query, "limit") or 0
    _check_match(query)
    shelf = server.store.shelf(resource.storage)
    token = query.get("continue")
    if token:
        if query.get("resourceVersion") not in (None, "", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        version, start = _read(token)
        if version < 0:
            version = server.store.version
        try:
            state = shelf.at(version)
        except Expired:
            raise expired(GONE, token=_token(-1, start)) from None
        return _cut([state[key] for key in sorted(state)], selection, version, limit, start)
    exact = await _wanted_version(server, query)
    if exact is not None:
        try:
            state = shelf.at(exact)
        except Expired:
            raise expired(f"too old resource version: {exact} ({shelf.since})") from None
        return _cut([state[key] for key in sorted(state)], selection, exact, limit, None)
    if selection.name is not None and namespace is not None:
        found = server.store.get(resource.storage, namespace, selection.name)
        records = [found] if found else []
    else:
        records = list(server.store.list(resource.storage, namespace))
    return _cut(records, selection, server.store.version, limit, None)


def _cut(records: list[Record], selection: Selection, version: int, limit: int, start: Key | None) -> Page:
    chosen: list[Record] = []
    rest = 0
    for record in records:
        key = (record.namespace or "", record.name)
        if (start is not None and key < start) or not selection(record.obj):
            continue
        if limit and len(chosen) == limit:
            rest += 1
            if rest == 1:
                following = key
            if selection.partial:
                break
        else:
            chosen.append(record)
    if not rest:
        return Page(chosen, version)
    return Page(chosen, version, _token(version, following), None if selection.partial else rest)


async def _wanted_version(server: "Server", query: Query) -> int | None:
    """Return the exact version that is asked for, or None for the present; waits a little for the future."""
    text = query.get("resourceVersion") or "0"
    if not text.isdigit():
        raise bad_request(f'invalid resource version "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    version = int(text)
    if version > server.store.version:
        await server.clock.sleep(WAIT_FOR_FUTURE)
        if version > server.store.version:
            text = f"Too large resource version: {version}, current: {server.store.version}"
            raise timeout(text, causes=[FieldError("ResourceVersionTooLarge", "", "Too large resource version")])
    return version if query.get("resourceVersionMatch") == "Exact" else None


def _check_match(query: Query) -> None:
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    causes = []
    if match and not version:
        text = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        causes.append(FieldError(Reason.FORBIDDEN, "resourceVersionMatch", text))
    if match and query.get("continue"):
        text = "Forbidden: resourceVersionMatch is forbidden when continue is provided"
        causes.append(FieldError(Reason.FORBIDDEN, "resourceVersionMatch", text))
    if match not in ("", "Exact", "NotOlderThan"):
        text = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"'
        causes.append(FieldError(Reason.NOT_SUPPORTED, "resourceVersionMatch", text))
    if match == "Exact" and version == "0":
        text = 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        causes.append(FieldError(Reason.FORBIDDEN, "resourceVersionMatch", text))
    if causes:
        raise invalid_options("ListOptions", causes)


def _token(version: int, start: Key) -> str:
    raw = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": list(start)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _read(token: str) -> tuple[int, Key]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = found["start"]
        return int(found["rv"]), (str(namespace), str(name))
    except (binascii.Error, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise bad_request("continue key is not valid: illegal base64 or unknown content") from error


def encode(resource: Resource, found: Page) -> bytes:
    """Return the list as JSON; the items' JSON is made once for each record."""
    head = {"kind": resource.list_name, "apiVersion": resource.api_version, "metadata": found.metadata()}
    items = b",".join(item(resource, record) for record in found.records)
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"items":[' + items + b"]}"


def item(resource: Resource, record: Record) -> bytes:
    """Return a record as the item of a list: with kind and apiVersion for custom resources alone."""
    if resource.custom:
        return full(resource, record)
    if record.obj.get("apiVersion") == resource.api_version:
        return record.to_json()
    converted = conversion.convert(record.obj, resource.api_version)
    return Record(converted, record.version).to_json()


def full(resource: Resource, record: Record) -> bytes:
    """Return a record as JSON with kind and apiVersion, in the version of the resource."""
    found = record.obj.get("apiVersion")
    if found != resource.api_version and not resource.custom:
        record = Record(conversion.convert(record.obj, resource.api_version), record.version)
    return record.to_json(kind=resource.kind, api_version=resource.api_version)
