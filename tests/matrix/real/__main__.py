"""``python -m tests.matrix.real``: plays all rows, prints a line each, then recall and precision."""

from __future__ import annotations

import asyncio
import sys
import time

from tests.matrix.real.play import play
from tests.matrix.real.report import as_staged, lines
from tests.matrix.real.rows import FAILURES, HEALTHY


def main() -> int:
    """Play, and print; 1 if anything is told otherwise than it was staged."""
    began = time.monotonic()
    played = asyncio.run(play((*FAILURES, *HEALTHY)))
    for line in lines(played):
        print(line)
    print(f"in {time.monotonic() - began:.0f} s")
    return 0 if as_staged(played) else 1


if __name__ == "__main__":
    sys.exit(main())
