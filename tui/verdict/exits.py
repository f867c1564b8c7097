"""What the exit status in an archiving error means.

The operator passes on only ``unexpected failure invoking barman-cloud-wal-archive: exit status N``, the
same words for the archiving and for its check; N tells the class (BARMAN clients/cloud_cli.py,
cloud_check_wal_archive.py). The text itself stands in the sidecar's log alone.
"""

from __future__ import annotations

import re

_STATUS = re.compile(r"exit status (\d+)|signal: killed")
_MEANINGS = {
    "1": "the archive is not empty: another cluster wrote to this serverName",
    "2": "the endpoint could not be reached",
    "3": "bad arguments: see archiveAdditionalCommandArgs of the ObjectStore",
    "4": "the store refused or could not be reached",
    "signal: killed": "the sidecar was killed, most likely for want of memory",
}


def status(message: str) -> str:
    """``exit status 4`` or ``signal: killed`` out of a message, ``""`` if it has none."""
    found = _STATUS.search(message)
    return found[0] if found else ""


def meaning(message: str) -> str:
    """What the exit status in ``message`` means, ``""`` if there is none or it is not known."""
    found = _STATUS.search(message)
    return _MEANINGS.get(found[1] or found[0], "") if found else ""
