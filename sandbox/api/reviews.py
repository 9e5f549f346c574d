"""Reviews: questions that are posted and answered, never stored."""

from typing import Any

from sandbox.api import replies
from sandbox.api.access import Access, User
from sandbox.api.errors import invalid, method_not_allowed
from sandbox.api.replies import Reply, Request
from sandbox.api.resources import Resource
from sandbox.api.routes import RequestInfo
from sandbox.schema.errors import FieldError, Reason

Obj = dict[str, Any]


def answer(access: Access, request: Request, resource: Resource, verb: str) -> Reply:
    """Answer a review; every verb but create is 405."""
    if verb != "create":
        raise method_not_allowed()
    body = request.parsed().value
    body = {"kind": resource.kind, "apiVersion": resource.api_version, **body}
    body.setdefault("metadata", {})
    spec = body.setdefault("spec", {})
    user = access.authenticate(request.headers.get("authorization", ""))
    if resource.kind in ("SubjectAccessReview", "LocalSubjectAccessReview"):
        user = access.named(spec.get("user", ""))
    match resource.kind:
        case "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview":
            body["status"] = _access(resource, user, spec)
        case "SelfSubjectRulesReview":
            body["status"] = _rules(user)
        case "SelfSubjectReview":
            body["status"] = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
        case _:
            body["status"] = _token(access, spec)
    return replies.json_reply(body, 201)


def _access(resource: Resource, user: User, spec: Obj) -> Obj:
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (about is None) == (path is None):
        text = "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise invalid(resource, "", [FieldError(Reason.INVALID, "spec.resourceAttributes", text)])
    if about is None:
        return {"allowed": True}
    info = RequestInfo(
        verb=about.get("verb", ""),
        group=about.get("group", ""),
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        path="",
        user=user.name,
    )
    if user.may(info):
        return {"allowed": True, "reason": "the sandbox allows it"}
    return {"allowed": False}


def _rules(user: User) -> Obj:
    if user.rules is None:
        everything = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        return {
            "resourceRules": everything,
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
    listed = [{"verbs": list(r.verbs), "apiGroups": ["*"], "resources": list(r.resources)} for r in user.rules]
    return {"resourceRules": listed, "nonResourceRules": [], "incomplete": False}


def _token(access: Access, spec: Obj) -> Obj:
    user = access.users.get(spec.get("token", ""))
    if user is None:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": {"username": user.name, "groups": list(user.groups)}}


def service_account_token(access: Access, namespace: str, name: str) -> str:
    """Return a token that speaks for a service account (which may do everything here)."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    user = User(f"system:serviceaccount:{namespace}:{name}", groups)
    return access.issue(user)
