"""istiod: the injection webhook, the validation webhook, and what it writes into the cluster.

Awake, it serves HTTPS with a certificate of its own authority, for its Service's port 443, and then does as the real
one: it puts that authority into `caBundle` of the webhook configurations of its revision (field manager
`pilot-discovery`), turns the validators' failurePolicy into Fail, and keeps the ConfigMap `istio-ca-root-cert` in every
namespace. A configuration that somebody changes back is mended at once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.api.errors import ApiError
from sandbox.certificates import Authority
from sandbox.serving import Listener
from sandbox.standins import injection, istiod_validation
from sandbox.standins.base import Backend, StandIn, image_tag
from sandbox.standins.injection import Settings

Obj = dict[str, Any]

WEBHOOKS, MONITORING, DEBUG = 15017, 15014, 8080
GROUP = "admissionregistration.k8s.io/v1"
INJECTOR = "sidecar-injector.istio.io"
ROOT_CERTIFICATE = "istio-ca-root-cert"


class Istiod(StandIn):
    """One control plane of one revision."""

    image_names: ClassVar[tuple[str, ...]] = ("pilot",)
    manager: ClassVar[str] = "pilot-discovery"
    authority: ClassVar[Authority | None] = None  # one for all revisions and restarts: their Secret would keep it

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        Istiod.authority = Istiod.authority or Authority("cluster.local")
        self.settings = Settings()
        self.injected = self.rejected = 0
        names = [self.name, f"{self.name}.{self.namespace}", f"{self.name}.{self.namespace}.svc"]
        self._listener = Listener(self._secure_app(), certificate=Istiod.authority.issue(*reversed(names)))

    @property
    def pem(self) -> bytes:
        assert Istiod.authority is not None
        return Istiod.authority.pem

    @property
    def bundle(self) -> str:
        return base64.b64encode(self.pem).decode()

    @property
    def revision(self) -> str:
        return str(self.deployment["metadata"].get("labels", {}).get("istio.io/rev", "default"))

    @property
    def version(self) -> str:
        images = (c.get("image", "") for c in self.deployment["spec"]["template"]["spec"]["containers"])
        return next((image_tag(image) for image in images if "/pilot:" in image), "unknown")

    def apps(self) -> Mapping[int, Backend]:
        open_app = self._open_app()
        return {WEBHOOKS: self._listener.url, MONITORING: open_app, DEBUG: open_app}

    async def awake(self, deployment: Obj) -> None:
        await self._read_settings()
        await self._listener.start()
        self.spawn(self._keep_settings())
        self.spawn(self._keep_root_certificates())
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            self.spawn(self._keep_webhooks(kind))

    async def asleep(self) -> None:
        await self._listener.stop()

    # what it serves

    def _secure_app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/inject", self._inject, methods=["POST"]),
                Route("/inject/{path:path}", self._inject, methods=["POST"]),
                Route("/validate", self._validate, methods=["POST"]),
            ]
        )

    def _open_app(self) -> Starlette:
        async def ready(_: Request) -> Response:
            return PlainTextResponse("")

        return Starlette(
            routes=[Route("/ready", ready), Route("/version", self._version), Route("/metrics", self._metrics)]
        )

    async def _inject(self, request: Request) -> Response:
        asked = (await request.json())["request"]
        pod = asked["object"]
        pod["metadata"].setdefault("namespace", asked.get("namespace"))
        answer: Obj = {"uid": asked["uid"], "allowed": True}
        try:
            if injection.wanted(pod, self.settings):
                patch = injection.patch(pod, injection.inject(pod, self.settings))
                answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
                self.injected += 1
        except injection.BadPod as error:
            answer |= {"allowed": False, "status": {"message": f"Pod injection failed: {error}", "code": 400}}
        return _review(answer)

    async def _validate(self, request: Request) -> Response:
        asked = (await request.json())["request"]
        answer: Obj = {"uid": asked["uid"], "allowed": True}
        if asked["operation"] in ("CREATE", "UPDATE") and not asked.get("subResource"):
            answer["warnings"] = istiod_validation.warnings(asked["object"])
            problems = istiod_validation.problems(asked["object"])
            if problems:
                self.rejected += 1
                message = f"configuration is invalid: {'; '.join(problems)}"
                answer |= {"allowed": False, "status": {"message": message, "code": 400, "reason": "BadRequest"}}
        return _review(answer)

    async def _version(self, _: Request) -> Response:
        return PlainTextResponse(f"{self.version}-sandbox-Clean")

    async def _metrics(self, _: Request) -> Response:
        counters = {
            f'istio_build{{component="pilot",tag="{self.version}"}}': 1,
            f'pilot_info{{version="{self.version}"}}': 1,
            "pilot_total_xds_rejects": 0,
            "galley_validation_failed": self.rejected,
            "sidecar_injection_success_total": self.injected,
        }
        text = "".join(f"{name} {value}\n" for name, value in counters.items())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    # what it writes

    async def _read_settings(self) -> None:
        suffix = "" if self.revision == "default" else f"-{self.revision}"
        injector = await self._data(f"istio-sidecar-injector{suffix}")
        mesh = await self._data(f"istio{suffix}")
        self.settings = Settings(
            revision=self.revision,
            values=json.loads(injector.get("values") or "{}"),
            config=yaml.safe_load(injector.get("config") or "{}") or {},
            mesh=yaml.safe_load(mesh.get("mesh") or "{}") or {},
        )

    async def _data(self, name: str) -> Mapping[str, str]:
        found = await self.client.get("v1", "ConfigMap", name, self.namespace)
        return (found or {}).get("data") or {}

    async def _keep_settings(self) -> None:
        """Read them again when one of the ConfigMaps changes, as the real one does."""
        async for _, configmap in self.client.watch("v1", "ConfigMap"):
            metadata = configmap["metadata"]
            if metadata["namespace"] == self.namespace and metadata["name"].startswith("istio"):
                await self._read_settings()

    async def _keep_root_certificates(self) -> None:
        async for change, namespace in self.client.watch("v1", "Namespace"):
            if change != "DELETED" and namespace.get("status", {}).get("phase") != "Terminating":
                await self._write_root_certificate(namespace["metadata"]["name"])

    async def _write_root_certificate(self, namespace: str) -> None:
        data = {"root-cert.pem": self.pem.decode()}
        found = await self.client.get("v1", "ConfigMap", ROOT_CERTIFICATE, namespace)
        if found and found.get("data") == data:
            return
        metadata = {"name": ROOT_CERTIFICATE, "namespace": namespace, "labels": {"istio.io/config": "true"}}
        try:
            await self.client.apply(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, force=True
            )
        except ApiError:
            pass  # the namespace is going; its next event brings us back if it stays

    async def _keep_webhooks(self, kind: str) -> None:
        async for change, configuration in self.client.watch(GROUP, kind):
            if change != "DELETED" and self._ours(configuration):
                await self._mend(kind, configuration)

    def _ours(self, configuration: Obj) -> bool:
        return bool((configuration["metadata"].get("labels") or {}).get("istio.io/rev") == self.revision)

    async def _mend(self, kind: str, configuration: Obj) -> None:
        wanted = [self._webhook(kind, webhook) for webhook in configuration.get("webhooks") or []]
        if wanted == configuration.get("webhooks"):
            return
        try:
            await self.client.update({**configuration, "webhooks": wanted})
        except ApiError as error:
            if error.code != 409:  # somebody was faster: the event of that change brings us back
                raise

    def _webhook(self, kind: str, webhook: Obj) -> Obj:
        client = {**webhook["clientConfig"], "caBundle": self.bundle}
        if kind == "ValidatingWebhookConfiguration":
            return {**webhook, "clientConfig": client, "failurePolicy": "Fail"}
        return {**webhook, "clientConfig": client} if webhook["name"].endswith(INJECTOR) else webhook


def _review(response: Obj) -> Response:
    return JSONResponse({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
