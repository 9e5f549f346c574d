"""Who is asking, and may they.

Tokens are the only credentials. The administrator's may do everything; others are made by the control API, for tests
of what happens with too few rights or with a token that ran out. Rules are those of RBAC, without Roles: Role objects
are stored and listed, but do not decide anything here.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.api.calls import ADMIN
from sandbox.api.errors import ApiError, unauthorized
from sandbox.api.routes import RequestInfo
from sandbox.clock import Clock

SELF_REVIEWS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})
"""Everybody may ask about themselves."""


@dataclass(frozen=True)
class Rule:
    """What is allowed: verbs on resources ('*' is all; 'pods/log' a subresource) in one namespace, or in all."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    namespace: str | None = None

    def allows(self, info: RequestInfo) -> bool:
        resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        return (
            bool({"*", info.verb} & {*self.verbs})
            and bool({"*", resource} & {*self.resources})
            and self.namespace in (None, info.namespace)
        )


@dataclass(frozen=True)
class User:
    """Somebody with a token. `rules` None allows everything."""

    name: str = ADMIN
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")
    rules: tuple[Rule, ...] | None = None
    expires: datetime | None = None

    def may(self, info: RequestInfo) -> bool:
        if self.rules is None or not info.resource or info.resource in SELF_REVIEWS:
            return True
        return any(rule.allows(info) for rule in self.rules)


@dataclass
class Access:
    """The tokens of this cluster."""

    clock: Clock
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def __post_init__(self) -> None:
        self.users: dict[str, User] = {self.token: User()}

    def issue(self, user: User) -> str:
        """Return a new token of a user."""
        token = secrets.token_urlsafe(24)
        self.users[token] = user
        return token

    def revoke(self, token: str) -> bool:
        """Forget a token; False when nobody has it. The administrator's stays."""
        return token != self.token and self.users.pop(token, None) is not None

    def named(self, name: str) -> User:
        """Return the user of this name; one that nobody limited may do everything, like all service accounts."""
        return next((user for user in self.users.values() if user.name == name), User(name, ("system:authenticated",)))

    def authenticate(self, header: str) -> User:
        """Return whose Authorization header this is. Raises 401."""
        scheme, _, token = header.partition(" ")
        user = self.users.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None or (user.expires is not None and user.expires <= self.clock.now()):
            raise unauthorized()
        return user

    def authorize(self, user: User, info: RequestInfo) -> None:
        """Raises 403 when the user may not do this."""
        if user.may(info):
            return
        qualified = f"{info.resource}.{info.group}" if info.group else info.resource
        subresource = f"/{info.subresource}" if info.subresource else ""
        where = f' in the namespace "{info.namespace}"' if info.namespace else " at the cluster scope"
        text = f'{qualified}{f" {chr(34)}{info.name}{chr(34)}" if info.name else ""} is forbidden: User "{user.name}" '
        text += f'cannot {info.verb} resource "{info.resource}{subresource}" in API group "{info.group}"{where}'
        details = {"name": info.name, "group": info.group, "kind": info.resource}
        raise ApiError(403, "Forbidden", text, details={key: value for key, value in details.items() if value})
