"""What an S3 store answers, in plain values: a page of a listing, uploads under way, rules, prices.

Stands below both ``live`` and ``wire`` so that a sweep and a gateway speak of the same things.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tui.barman.listing import Page


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests sent to a store, as it prices them (:class:`tui.verdict.growth.Price`)."""

    class_a: int = 0
    """Listings, of objects and of uploads."""
    class_b: int = 0
    """Heads and gets."""

    def __add__(self, other: Requests) -> Requests:
        return Requests(self.class_a + other.class_a, self.class_b + other.class_b)

    def __sub__(self, other: Requests) -> Requests:
        return Requests(self.class_a - other.class_a, self.class_b - other.class_b)

    @property
    def count(self) -> int:
        """All of them."""
        return self.class_a + self.class_b


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of a listing."""

    objects: Page
    folders: tuple[str, ...]
    """The common prefixes, whole: ``a/b/``."""
    token: str
    """What the next page is asked for with, ``""`` at the end."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was begun and neither completed nor aborted: it costs, unseen."""

    key: str
    initiated: datetime


@dataclass(frozen=True, slots=True)
class Uploads:
    """Incomplete uploads. ``more``: the store has more than one page of them."""

    found: tuple[Upload, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One lifecycle rule, as far as it matters here. Days are None where the rule does not set them."""

    id: str
    enabled: bool
    prefix: str
    expires_after: int | None
    """Days after which objects are deleted: a rule that eats base backups and WAL."""
    aborts_after: int | None
    """Days after which incomplete uploads are aborted."""
    expires_on: datetime | None = None
    """From when on every object is deleted, whatever its age."""
    selective: bool = False
    """Whether it asks for tags or sizes too: which objects those are no listing tells."""

    def eats(self, below: str) -> bool:
        """Whether it deletes objects whose keys begin so (``prod/pg/``), sooner or later."""
        deletes = self.expires_after is not None or self.expires_on is not None
        meets = below.startswith(self.prefix) or self.prefix.startswith(below)
        return self.enabled and deletes and meets and not self.selective


@dataclass(frozen=True, slots=True)
class Untold:
    """The store does not say (not implemented, not permitted), and why."""

    why: str
