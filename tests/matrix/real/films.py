"""What of the real archive lies in the bucket for a row, and since when."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.matrix.real.archive import Archive, Made

_ENDED = {
    "stopped": timedelta(hours=2),
    "idle": timedelta(minutes=40),
    "elsewhere": timedelta(minutes=40),
    "torn": timedelta(minutes=20),
    "no-history": timedelta(minutes=5),
}
"""How long ago the newest object came; any other film ends now."""


def of(made: Made, what: str, now: datetime) -> Archive:
    """The film of this name."""
    until = now - _ENDED.get(what, timedelta())
    if what == "none":
        return Archive(())
    if what == "killed":
        return Archive((*made.archive.lying, *made.killed.lying)).ending(until, slower=30)
    if what in ("kept", "garbled"):
        kept = _kept(made.archive, until)
        return kept if what == "kept" else kept.garbled()
    after = what in ("promoted", "no-history")
    whole = made.promoted if after else made.archive
    return whole.without(*_lost(made.archive, what)).ending(until)


def _kept(whole: Archive, until: datetime) -> Archive:
    """With base backups that a policy of one day gave up days ago."""
    newest = max(each.at for each in whole.lying if each.name.startswith("base/"))
    return whole.ending(until, slower=int(timedelta(days=5) / (whole.lying[-1].at - newest)))


def _lost(whole: Archive, what: str) -> tuple[str, ...]:
    """What is not there, as parts of names."""
    _, (newest, info) = whole.infos
    segments = [each.segment for each in whole.segments]
    begin = segments.index(info["begin_wal"])
    return {
        "torn": (segments[-4],),  # after the last base backup, and not the last
        "hole": (segments[begin - 2],),  # between the base backups
        "no-data": ("/data.tar",),
        "no-infos": ("/backup.info",),
        "no-bases": ("base/",),
        "no-newest-data": (f"{newest}/data.tar",),
        "no-base-wal": (f"/{segments[begin]}.gz",),
        "no-history": (".history",),
    }.get(what, ())
