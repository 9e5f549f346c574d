"""The service proxy: /api/v1/namespaces/NS/services/[SCHEME:]NAME[:PORT]/proxy/PATH.

PORT is a number or the name of a Service port, and may be left out where there is one port. The answer of the backend
is passed on as it is, its code included; when nobody answers it is 503 with a Status.
"""

from typing import TYPE_CHECKING, Any

from sandbox.api.errors import bad_request, not_found, unavailable
from sandbox.api.replies import Reply, Request
from sandbox.api.routes import Route
from sandbox.network import NetworkError

if TYPE_CHECKING:
    from sandbox.api.server import Server

Obj = dict[str, Any]
_NOT_FORWARDED = frozenset(
    {"host", "authorization", "connection", "content-length", "accept-encoding", "transfer-encoding"}
)
_NOT_RETURNED = frozenset({"content-length", "transfer-encoding", "connection", "content-type", "content-encoding"})
TIMEOUT = 30.0


async def answer(server: "Server", request: Request, route: Route) -> Reply:
    """Forward a request to a Service."""
    if route.name is None or route.namespace is None:
        raise bad_request("a service proxy needs a namespace and a name")
    scheme, name, port = _parts(route.name)
    services = server.resource("v1", "Service")
    record = server.find(services, route.namespace, name)
    if record is None:
        raise not_found(services, name)
    number = _port(record.obj, port)
    path = request.path.split("/proxy", 1)[1] or "/"
    url = f"{scheme}://{name}.{route.namespace}.svc:{number}{path}"
    if request.raw_query:
        url += f"?{request.raw_query}"
    headers = {key: value for key, value in request.headers.items() if key not in _NOT_FORWARDED}
    try:
        found = await server.network.request(
            request.method, url, content=request.body, headers=headers, timeout=TIMEOUT
        )
    except NetworkError as error:
        raise unavailable(
            str(error) if "endpoints" in str(error) else f"error trying to reach service: {error}"
        ) from error
    passed = [(key, value) for key, value in found.headers.items() if key not in _NOT_RETURNED]
    return Reply(found.status_code, found.content, found.headers.get("content-type", "text/plain"), passed)


def _parts(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(parts) == 1:
        return "http", parts[0], ""
    if len(parts) == 2 and parts[0] not in ("http", "https"):
        return "http", parts[0], parts[1]
    if len(parts) == 2:
        return parts[0], parts[1], ""
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0] or "http", parts[1], parts[2]
    raise bad_request(f'invalid service request "{text}"')


def _port(service: Obj, wanted: str) -> int:
    ports = service["spec"].get("ports") or []
    for port in ports:
        if wanted in (str(port["port"]), port.get("name")) or (not wanted and len(ports) == 1):
            return int(port["port"])
    raise unavailable(f'no endpoints available for service "{service["metadata"]["name"]}"')
