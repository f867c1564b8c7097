"""Entries of the failure catalogue that no rule answers to, and why a client cannot see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

UNSEEN: Final[Mapping[str, str]] = {
    "F33": (
        "no failure: with prefer-standby and no standby that is ready the backup runs on the primary "
        "by design. Whether that was meant is not written anywhere; the Backup's details name its Pod"
    ),
}
