"""Who may do what: bearer tokens and RBAC rules, judged as Kubernetes' RBAC authorizer does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tui.sandbox.refusals import Refusal, forbidden, unauthorized

_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
"""Paths ClusterRole system:public-info-viewer opens to everybody."""
_DISCOVERY = ("/api", "/apis", "/openapi")
"""Paths ClusterRole system:discovery opens to everybody who has shown a valid token."""
_REVIEWS = {
    "authentication.k8s.io": ("selfsubjectreviews",),
    "authorization.k8s.io": ("selfsubjectaccessreviews", "selfsubjectrulesreviews"),
}
"""What ClusterRole system:basic-user lets everybody with a valid token ask."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants to do; with `path` alone it is about no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """`pods`, or `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule of a ClusterRole (namespaces `*`) or of a Role permits.

    `resources` may name subresources (`pods/log`, `*/status`); `*` means any. A rule with
    `resource_names` permits nothing that is asked without a name.
    """

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    namespaces: tuple[str, ...] = ("*",)
    resource_names: tuple[str, ...] = ()

    def permits(self, wish: Wish) -> bool:
        """Whether this rule alone is enough for `wish`; only `*` everywhere opens other paths."""
        if wish.path:
            return self == EVERYTHING[0]
        return (
            _listed(wish.verb, self.verbs)
            and _listed(wish.group, self.api_groups)
            and self._covers(wish)
            and self.reaches(wish.namespace)
            and (not self.resource_names or wish.name in self.resource_names)
        )

    def reaches(self, namespace: str) -> bool:
        """Whether the rule holds in `namespace`; empty stands for all of them."""
        return "*" in self.namespaces or (bool(namespace) and namespace in self.namespaces)

    def _covers(self, wish: Wish) -> bool:
        any_parent = f"*/{wish.subresource}" if wish.subresource else "*"
        return _listed(wish.full_resource, self.resources) or any_parent in self.resources


EVERYTHING = (Rule(("*",), ("*",), ("*",)),)
"""The rules of an administrator."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a bearer token."""

    name: str
    token: str = field(repr=False)
    rules: tuple[Rule, ...]

    def may(self, wish: Wish) -> bool:
        """Whether any rule permits `wish`."""
        return any(rule.permits(wish) for rule in self.rules)


ANONYMOUS = User("system:anonymous", "", ())


class Access:
    """The doorkeeper. With no users at all the door stands open: every caller is an administrator."""

    def __init__(self, users: Sequence[User]) -> None:
        self._open = not users
        self._by_token = {user.token: user for user in users}
        self.granted: Callable[[User], Iterable[Rule]] = lambda _: ()
        """rules a user has beside its own, such as from RoleBindings"""

    def admit(self, user: User) -> None:
        """Accept a user's token from now on, or give it other rules."""
        self._open = False
        self._by_token[user.token] = user

    def revoke(self, token: str) -> None:
        """Stop accepting a token: 401 from now on."""
        self._by_token.pop(token, None)

    def who(self, authorization: str) -> User:
        """The user behind an Authorization header.

        Raises Refusal (401) for a token nobody has; no token at all is `system:anonymous`.
        """
        if self._open:
            return User("system:admin", "", EVERYTHING)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS
        user = self._by_token.get(token.strip())
        if user is None:
            raise unauthorized()
        return user

    def check(self, user: User, wish: Wish) -> None:
        """Raise Refusal (403) unless `user` may do what is wished."""
        if not self.allows(user, wish):
            raise _refusal(user, wish)

    def allows(self, user: User, wish: Wish) -> bool:
        """Whether `user` may do what is wished, by rules or by what everybody may."""
        known = user is not ANONYMOUS
        if wish.path:
            roots = _PUBLIC + _DISCOVERY if known else _PUBLIC
            at = wish.path.rstrip("/")
            if any(at == root or at.startswith(f"{root}/") for root in roots):
                return True
        elif known and wish.resource in _REVIEWS.get(wish.group, ()):
            return True
        return user.may(wish) or any(rule.permits(wish) for rule in self.granted(user))

    def rules_in(self, user: User, namespace: str) -> list[dict[str, list[str]]]:
        """The rules `user` has in `namespace`, as SelfSubjectRulesReview lists them."""
        rules = [
            *(Rule((group,), kinds, ("create",)) for group, kinds in _REVIEWS.items()),
            *(rule for rule in (*user.rules, *self.granted(user)) if rule.reaches(namespace)),
        ]
        return [
            {
                "verbs": list(rule.verbs),
                "apiGroups": list(rule.api_groups),
                "resources": list(rule.resources),
            }
            | ({"resourceNames": list(rule.resource_names)} if rule.resource_names else {})
            for rule in rules
        ]


def _listed(word: str, words: Iterable[str]) -> bool:
    return any(known in ("*", word) for known in words)


def _refusal(user: User, wish: Wish) -> Refusal:
    if wish.path:
        text = f'forbidden: User "{user.name}" cannot {wish.verb} path "{wish.path}"'
        return Refusal(403, "Forbidden", text, details={})
    where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {wish.verb} resource "{wish.full_resource}" '
        f'in API group "{wish.group}" {where}'
    )
    return forbidden(wish.group, wish.resource, wish.name, why)
