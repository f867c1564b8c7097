"""Our error family, drawn at the top. The gateways in ``wire`` translate the libraries' errors into it.

Each fault is a sentence a user can act on: what happened, to what, and what to do next. It stands
below both ``live`` and ``wire`` so that a feed can tell an expired list from a lost server without
knowing which library spoke.

::

    Fault
    +-- Misconfigured      kubeconfig, context, credentials: nothing was sent
    +-- Unreachable        no answer: refused, timed out, TLS, name unknown, cut half way
    +-- BadAnswer          an answer that is not what the protocol says
    +-- Refused            the server answered with a Status that is not success
        +-- Unauthorized   401
        +-- Forbidden      403
        +-- NotFound       404
        +-- AlreadyExists  409 on create
        +-- Conflict       409 on update: somebody else changed the object
        +-- Expired        410: the resourceVersion is too old to go on from
        +-- Invalid        400, 422: admission, schema, or a webhook said no
        +-- TooMany        429
        +-- ServerError    5xx
"""

from __future__ import annotations


class Fault(Exception):
    """Something went wrong between us and a server; ``str()`` is the sentence for the user."""


class Misconfigured(Fault):
    """The configuration does not lead to a server. Nothing was sent."""


class Unreachable(Fault):
    """The server gave no complete answer. What happened to a write is not known."""


class BadAnswer(Fault):
    """The server answered something the protocol does not allow (a proxy's HTML page, cut JSON)."""


class Refused(Fault):
    """The server answered with a Status that is not success.

    ``retry_after`` is the server's Retry-After in seconds, None where it named none.
    """

    def __init__(self, sentence: str, *, code: int, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.retry_after = retry_after


class Unauthorized(Refused):
    """401: the credentials are not (or no longer) accepted."""


class Forbidden(Refused):
    """403: the user is known and may not do this; the sentence names verb and resource."""


class NotFound(Refused):
    """404: no such object, or (on a list) no such resource: its CRD is not installed."""


class AlreadyExists(Refused):
    """409 on create: the name is taken."""


class Conflict(Refused):
    """409 on update: the object changed since it was read, or another manager owns a field."""


class Expired(Refused):
    """410: the list or watch cannot go on from this resourceVersion; list anew."""


class Invalid(Refused):
    """400 or 422: schema, admission or a webhook said no, in its own words."""


class TooMany(Refused):
    """429: slow down; ``retry_after`` says for how long."""


class ServerError(Refused):
    """5xx: the server could not."""
