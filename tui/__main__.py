"""``python -m tui`` is ``cnpg-tui``."""

import sys

from tui.cli import main

sys.exit(main())
