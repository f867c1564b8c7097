"""A clock for one program alone, which jumps when it is told to."""

from __future__ import annotations

from pathlib import Path

_LIBRARIES = sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))


def why_impossible() -> str | None:
    """What is missing, None if nothing is."""
    return None if _LIBRARIES else "a clock that jumps needs libfaketime (Debian: libfaketime)"


class Clock:
    """The time of day as a program sees it that is started in ``environment``."""

    def __init__(self, folder: Path) -> None:
        self._shift = folder / "shift"
        self.jump("+0")

    @property
    def environment(self) -> dict[str, str]:
        """For the program."""
        return {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._shift),
            "FAKETIME_NO_CACHE": "1",
            # A clock that is set does not move the monotonic one. The name was changed once.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, by: str) -> None:
        """Be off by so much from now on: ``+2h``, ``-30m``."""
        fresh = self._shift.with_suffix(".new")
        fresh.write_text(f"{by}\n")
        fresh.replace(self._shift)
