"""`POST /meshflow/hooks/{registry}`: a registry says that an image was pushed.

Who calls is known by the password of the Airflow connection `meshflow_webhook`, in one of two ways:

    X-Hub-Signature-256: sha256=<HMAC-SHA256 of the body>    GitHub, and whoever can sign
    Authorization: Bearer <password>                         Distribution, Harbor (there without "Bearer" too)

Docker Hub and Quay can do neither, and a secret in an address ends up in logs: put a relay in front that adds the
header. Nothing is parsed before the caller is known, and nothing above `LIMIT` is read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from meshflow import errors
from meshflow.release import push
from meshflow.web import arrivals
from meshflow.web.app import CONNECTION, Injected
from meshflow.web.arrivals import Result
from meshflow.web.watching import watchers

LIMIT = 1024 * 1024  # bytes; a notification has a few thousand
SIGNATURE = "X-Hub-Signature-256"

router = APIRouter()


async def signed_body(request: Request, services: Injected) -> bytes:
    """The body of a caller that knows the secret: 413 above the limit, 401 for any other, 503 without a secret."""
    body = await _capped(request)
    secret = await run_in_threadpool(services.secret)
    if secret is None:
        raise HTTPException(503, f"The webhook is not set up: make the Airflow connection {CONNECTION} with a password")
    if not (_signed(request, body, secret) or _bears(request, secret)):
        raise HTTPException(401, "Neither the signature nor the token is right", {"WWW-Authenticate": "Bearer"})
    return body


SignedBody = Annotated[bytes, Depends(signed_body)]


@router.post("/hooks/{registry}")
def pushed(registry: str, body: SignedBody, services: Injected) -> JSONResponse:
    """Start what the push is for, and say for each service what happened.

    200, also for a push that was delivered before. 503 when a rollout could not be started: a repeated delivery then
    starts what is missing and nothing twice.
    """
    mesh, pushes = services.mesh(), _read(registry, body)
    found = list(
        arrivals.arrive(
            pushes,
            registry=registry,
            watchers=watchers(mesh),
            runs=services.runs,
            resolve=lambda image: services.resolve(mesh, image),
            phase=lambda service: services.phase(mesh, service),
        )
    )
    failed = any(answer.result is Result.FAILED for answer in found)
    content = {"pushes": [item.image for item in pushes], "services": [answer.to_json() for answer in found]}
    return JSONResponse(content, 503 if failed else 200)


async def _capped(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LIMIT:
            raise HTTPException(413, f"A notification may have {LIMIT} bytes")
    return bytes(body)


def _signed(request: Request, body: bytes, secret: str) -> bool:
    right = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), request.headers.get(SIGNATURE, "").encode())


def _bears(request: Request, secret: str) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(secret.encode(), given.encode())


def _read(registry: str, body: bytes) -> tuple[push.Push, ...]:
    try:
        return push.read(registry, json.loads(body))
    except (ValueError, RecursionError) as problem:
        raise HTTPException(400, "The body is no JSON") from problem
    except errors.InvalidInput as problem:
        raise HTTPException(400, str(problem)) from problem
