"""The verdict on a cluster: can it be restored, says who, since when, and what to do.

Pure. Green takes two witnesses: what the operator says and what lies in the bucket. Every finding
below is a small function that looks at one thing and says nothing if it holds; the gravest finding
is the verdict. When none is left, and both witnesses were heard lately, the cluster is protected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui import words
from tui.barman import wal
from tui.barman.continuity import Usable
from tui.barman.path import Word
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.verdict import archiving, branch, clocks, commands, evidence, filling, quiet
from tui.verdict.evidence import Evidence
from tui.verdict.fix import SwitchOn
from tui.verdict.level import Finding, Level
from tui.verdict.triage import ladder
from tui.verdict.triage.rung import Rung
from tui.verdict.window import NoWindow, Window
from tui.verdict.witnesses import Film, NotKnown, Witnesses

__all__ = ["Finding", "Level", "Verdict", "judge"]

STALE_AFTER = timedelta(minutes=10)
"""What the bucket or the API server said longer ago than this proves nothing about now."""
FRESH_CLUSTER = timedelta(hours=24)
"""A younger cluster may still wait for its first base backup."""
LONG_QUEUE = 32
"""Files waiting to be archived above which the archiver is not keeping up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement. ``word`` stands in the table, ``headline`` above the evidence."""

    level: Level
    word: str
    headline: str
    findings: tuple[Finding, ...]
    """All of them, gravest first; empty for a protected cluster."""
    evidence: tuple[Evidence, ...]
    window: Window | None
    """What can be restored by the bucket's word, None if nothing or not known."""
    looked: bool
    """Whether the bucket was heard: only then does no window mean that nothing can be restored."""
    last_good: datetime | None
    """End of the newest base backup that succeeded, by any witness."""
    never_backed_up: bool
    """Whether a witness who would know of one says that none succeeded."""
    ladder: tuple[Rung, ...]
    """What holds and what breaks, from the configuration to the window."""

    @property
    def advice(self) -> str:
        """The next step, ``""`` if there is none."""
        return next((finding.advice for finding in self.findings if finding.advice), "")

    def last_base(self, now: datetime) -> str:
        """How long ago the newest good base backup ended; ``?`` where nobody who knows was heard."""
        if self.last_good is not None:
            return words.ago(self.last_good, now)
        return "never" if self.never_backed_up else "?"


def judge(seen: Witnesses, now: datetime) -> Verdict:
    """The verdict on a cluster from what its witnesses say."""
    symptoms = sorted(_findings(seen, now), key=_gravity)
    climbed = ladder.climb(seen, now, symptoms)
    rungs = tuple(commands.rung_in_context(rung, seen.context) for rung in climbed)
    window = _window(seen)
    # Of two that are equally grave the cause stands first, and the symptom gives the headline.
    causes = ladder.causes(climbed, symptoms)
    named = (commands.finding_in_context(each, seen.context) for each in (*causes, *symptoms))
    found = sorted(named, key=_gravity)
    first = found[0] if found else _protected(window, now)
    told = next((one for one in symptoms if one.level is first.level), first)
    looked = isinstance(seen.film, Film) and not _unseen(seen.film)
    last_good = evidence.last_good_backup(seen)
    return Verdict(
        level=first.level,
        word=told.word,
        headline=told.headline,
        findings=tuple(found),
        evidence=evidence.of(seen, now),
        window=window,
        looked=looked,
        last_good=last_good,
        never_backed_up=last_good is None and (looked or not isinstance(seen.backups, NotKnown)),
        ladder=rungs,
    )


def _gravity(finding: Finding) -> Level:
    return finding.level


def _findings(seen: Witnesses, now: datetime) -> Iterator[Finding]:
    if not seen.cluster.archives:
        yield _without_archiver(seen)
        return
    for look in _LOOKS:
        finding = look(seen, now)
        if finding is not None:
            yield finding


def _protected(window: Window | None, now: datetime) -> Finding:
    assert window is not None  # _bucket speaks up where there is none
    since, until = words.moment(window.since, now), words.moment(window.until, now)
    behind = words.age(window.behind(now))
    # Acknowledged ones too: they alarm no more, but nobody can restore to a moment in there.
    holes = f"{words.counted(len(window.holes), 'hole')}, " if window.holes else ""
    headline = f"restorable from {since} to {until}, {holes}{behind} behind"
    return Finding("protected", Level.PROTECTED, "protected", headline)


def _unseen(film: Film) -> bool:
    return isinstance(film.window, NoWindow) and film.window.unseen


def _window(seen: Witnesses) -> Window | None:
    if isinstance(seen.film, Film) and isinstance(seen.film.window, Window):
        return seen.film.window
    return None


# -- what the configuration says -----------------------------------------------------------------


def _without_archiver(seen: Witnesses) -> Finding:
    if seen.cluster.volume_snapshots and evidence.last_snapshot(seen):
        return Finding(
            "no-wal-archive",
            Level.DEGRADED,
            "no WAL archive",
            "volume snapshots only: no moment between them can be restored",
            "configure a WAL archiver: an enabled item in spec.plugins with isWALArchiver: true",
        )
    disabled = [
        plugin.name
        for plugin in seen.cluster.plugins
        if not plugin.enabled and (plugin.is_wal_archiver or plugin.name == BARMAN_PLUGIN)
    ]
    remedy = (
        f"set enabled: true on plugin {disabled[0]} in spec.plugins"
        if disabled
        else "add the Barman Cloud plugin to spec.plugins"
    )
    return Finding(
        "unprotected",
        Level.UNPROTECTED,
        "unprotected",
        "no WAL archiver and no backup is configured",
        f"{remedy}, then take a base backup at once: the gap cannot be filled later",
        fix=SwitchOn(seen.cluster.key, disabled[0]) if disabled else None,
    )


def _switched_off(seen: Witnesses, now: datetime) -> Finding | None:
    if not seen.cluster.skips_wal_archiving:
        return None
    return Finding(
        "archiving-off",
        Level.FAILING,
        "archiving off",
        "WAL archiving is switched off by an annotation",
        "remove the annotation cnpg.io/skipWalArchiving, then take a base backup",
    )


# -- what the operator and the instance say ------------------------------------------------------


def _archiving(seen: Witnesses, now: datetime) -> Finding | None:
    condition = seen.cluster.archiving
    if condition is None:
        return _never_archived()
    if not archiving.said_to_fail(seen):
        return None
    since = f" since {words.moment(condition.since, now)}" if condition.since else ""
    if not archiving.fails(seen):
        return Finding(
            "witnesses-disagree",
            Level.DEGRADED,
            "witnesses disagree",
            f"operator says failing{since}, yet WAL lands",
            "the condition moves only with the next segment: SELECT pg_switch_wal(), then look again",
        )
    window = _window(seen)
    lost = words.age(window.behind(now)) if window else ""
    if window is not None:
        until = words.moment(window.until, now)
        headline = f"WAL has not reached the bucket since {until} ({lost})"
    else:
        headline = f"the operator says WAL archiving fails{since}"
    fills = filling.of(seen)
    if fills is not None and fills.full_in is not None and fills.full_in < filling.VERY_SOON:
        why = f"no WAL landed for {lost}" if lost else "archiving fails"
        headline = f"pg_wal full in about {filling.about(fills.full_in)}; {why}"
    word = "failing" if window else "operator says failing"
    return Finding(
        "archiving-fails",
        Level.FAILING,
        word,
        headline,
        archiving.advice(seen.cluster, condition.message),
        "; ".join(words.shorten(each, 200) for each in evidence.around(seen, condition, now)),
    )


def _never_archived() -> Finding:
    return Finding(
        "nothing-archived",
        Level.UNKNOWN,
        "unknown",
        "no WAL has been archived yet: nothing is known",
        (
            "an idle database switches no segment before archive_timeout (5 min); "
            "SELECT pg_switch_wal() makes it try now"
        ),
    )


def _queue_grows(seen: Witnesses, now: datetime) -> Finding | None:
    if isinstance(seen.instance, NotKnown) or seen.instance.waiting < LONG_QUEUE:
        return None
    if archiving.fails(seen):
        return None  # it waits because it fails
    waiting = words.counted(seen.instance.waiting, "WAL file")
    return Finding(
        "queue-grows",
        Level.DEGRADED,
        "WAL waits",
        f"{waiting} wait to be archived: the archiver does not keep up",
        "raise wal.maxParallel of the ObjectStore; see the sidecar's memory and restarts",
    )


def _last_backup(seen: Witnesses, now: datetime) -> Finding | None:
    if not seen.cluster.says_last_backup_failed:
        return None
    return Finding(
        "last-backup-failed",
        Level.DEGRADED,
        "last backup failed",
        "the last base backup failed",
        "see the newest Backup's error (enter), mend it, back up again: b",
    )


# -- what lies in the bucket ---------------------------------------------------------------------


def _bucket(seen: Witnesses, now: datetime) -> Finding | None:
    film = seen.film
    if isinstance(film, NotKnown):
        return _operators_word_alone(seen, film.why)
    if film.trouble and (film.whole is None or _unseen(film)):
        return _operators_word_alone(seen, film.trouble)
    if isinstance(film.window, NoWindow):
        return _without_window(seen, film, film.window, now)
    if film.whole is None:
        return Finding("looking", Level.UNKNOWN, "looking", "the bucket is being looked at")
    if now - film.at > STALE_AFTER:
        seen_at = words.moment(film.at, now)
        headline = f"the bucket was last seen at {seen_at}: that says nothing about now"
        return Finding("stale", Level.UNKNOWN, "stale", headline, film.trouble)
    return None


def _server_silent(seen: Witnesses, now: datetime) -> Finding | None:
    """The API server has not been heard for long: what the operator said may have changed since."""
    heard = seen.unheard_since
    if heard is None or now - heard <= STALE_AFTER:
        return None
    headline = f"the API server was last heard at {words.moment(heard, now)}: nothing about now"
    return Finding("server-silent", Level.UNKNOWN, "stale", headline, "R asks it again")


def _operators_word_alone(seen: Witnesses, why: str) -> Finding | None:
    condition = seen.cluster.archiving
    if condition is None or archiving.said_to_fail(seen):
        return None  # that is said already
    if not condition.holds:
        word, said = "switchover", "a switchover is under way"
    elif not isinstance(seen.backups, NotKnown) and evidence.last_good_backup(seen) is None:
        return _no_base_backup()
    else:
        word, said = "operator says ok", "the operator says archiving works"
    return Finding(
        "one-witness",
        Level.UNKNOWN,
        word,
        f"{said}; the bucket was not looked at",
        f"bucket: {why}" if why else "",
    )


def _no_base_backup() -> Finding:
    return Finding(
        "no-base-backup",
        Level.DEGRADED,
        "no base backup",
        "WAL is archived, but there is no base backup to start from",
        "take one now: b",
    )


def _without_window(seen: Witnesses, film: Film, none: NoWindow, now: datetime) -> Finding | None:
    if none.unseen:
        return Finding("looking", Level.UNKNOWN, "looking", "the bucket is being looked at")
    created = seen.cluster.created
    if created is not None and now - created < FRESH_CLUSTER and _none_went_wrong(film):
        return Finding(
            "first-backup-due",
            Level.UNKNOWN,
            "no base backup yet",
            "a new cluster: nothing can be restored before its first base backup",
            "wait for the one that is being taken" if film.server.bases else "take one now: b",
        )
    if (taken := evidence.last_snapshot(seen)) is not None:
        newest = words.moment(taken, now)
        return Finding(
            "snapshots-alone",
            Level.UNKNOWN,
            "snapshots",
            f"only volume snapshots, newest {newest}; they are not looked at",
            "a base backup with method plugin beside them can be judged: b",
            f"bucket: {none.why}",
        )
    return Finding(
        "nothing-restorable",
        Level.FAILING,
        "not restorable",
        words.shorten(f"nothing can be restored: {none.why}", 70),
        "take a base backup now (b), once WAL archiving works",
        f"bucket: {none.why}",
    )


def _none_went_wrong(film: Film) -> bool:
    """Whether every base backup there is may still come to be usable."""
    return all(
        reach.usable is Usable.NOT_YET or film.server.bases[reach.base].info is None
        for reach in film.continuity.reaches
    )


def _torn(seen: Witnesses, now: datetime) -> Finding | None:
    """WAL is missing after the last base backup: the newest data cannot be reached."""
    window = _window(seen)
    if window is None or window.cut_by is None or window.cut_by.word is not Word.LOST:
        return None  # acknowledged or not: only a base backup makes the newest data reachable
    piece = window.cut_by
    missing = words.counted(piece.count, "segment")
    return Finding(
        "torn-film",
        Level.FAILING,
        "film torn",
        f"restorable only to {words.moment(window.until, now)}: {missing} of WAL lost",
        f"missing {piece.first} .. {piece.last}; take a base backup now (b): it starts a new film",
    )


def _cut_off(seen: Witnesses, now: datetime) -> Finding | None:
    """WAL lands on a timeline that no restore gets to: its history is what leads there."""
    if isinstance(seen.film, NotKnown) or seen.film.whole is None:
        return None  # the history may lie where nobody has looked yet
    cut_off = seen.film.continuity.cut_off
    if not cut_off:
        return None
    timeline, why = cut_off[-1].timeline, cut_off[-1].why
    return Finding(
        "cut-off",
        Level.FAILING,
        "WAL out of reach",
        words.shorten(f"WAL of timeline {timeline} cannot be restored: {why}", 70),
        f"copy {wal.HistoryFile(timeline)} anew from the primary's pg_wal, under wals/: PostgreSQL "
        "stops at this one, whichever base backup it begins with"
        if cut_off[-1].corrupt
        else f"take a base backup now (b): it starts on timeline {timeline}",
    )


def _holes(seen: Witnesses, now: datetime) -> Finding | None:
    """WAL is missing between base backups: some moments inside the window cannot be reached."""
    window = _window(seen)
    holes = [
        hole
        for hole in (window.holes if window else ())
        if hole.missing is not None and hole.missing.alarms
    ]
    if not holes:
        return None
    since, until = words.moment(holes[-1].since, now), words.moment(holes[-1].until, now)
    return Finding(
        "hole",
        Level.DEGRADED,
        "hole in WAL",
        words.shorten(f"no moment from {since} to {until} can be restored", 70),
        "WAL there is gone for good: keep the base backups on both sides, or acknowledge the loss",
    )


def _not_landed(seen: Witnesses, now: datetime) -> Finding | None:
    """PostgreSQL says a segment is archived and the bucket does not have it.

    No HEAD of that one segment is needed: a quick look lists what came behind the newest within half
    a minute, at rest within two and a half, and PostgreSQL's word is given two to settle anyway.
    """
    film, claim = seen.film, archiving.settled(seen)
    if isinstance(film, NotKnown) or claim is None:
        return None
    if film.whole is None:
        return None  # it may lie where nobody has looked yet
    segment, at = claim
    if film.server.modified(segment) is not None:
        return None
    newest = film.server.last_archived
    if newest is not None and newest.segment >= segment:
        return None  # retention or a later look; continuity speaks of holes
    return Finding(
        "does-not-land",
        Level.FAILING,
        "does not land",
        "PostgreSQL archives WAL that is not in the bucket",
        (
            f"{segment} archived {words.moment(at, now)} is not under "
            f"{film.server.name}/wals: is isWALArchiver true, is it this ObjectStore?"
        ),
    )


def _clash(seen: Witnesses, now: datetime) -> Finding | None:
    """Somebody else writes under the same server name."""
    if isinstance(seen.film, NotKnown):
        return None
    mine = seen.system_id or "not known"
    strangers = seen.film.strangers(seen.system_id)
    if not seen.film.shared_with and not strangers:
        return None
    if seen.film.shared_with:
        others = ", ".join(str(key) for key in seen.film.shared_with)
        advice = f"{others} uses the same path: give one of them another serverName"
    else:
        advice = f"base backups there have system id {', '.join(sorted(strangers))}, ours is {mine}"
    return Finding(
        "server-name-clash",
        Level.FAILING,
        "path shared",
        "another cluster writes under the same server name",
        advice,
    )


_LOOKS: tuple[Callable[[Witnesses, datetime], Finding | None], ...] = (
    _switched_off,
    _server_silent,
    clocks.differ,
    _archiving,
    _clash,
    _torn,
    _cut_off,
    branch.differs,
    _not_landed,
    _bucket,
    _queue_grows,
    quiet.finding,
    _holes,
    _last_backup,
)
