"""Hundreds of clusters made by chance: the healthy raise no alarm, the spoilt are never green."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive
from tests.verdict.test_two_witnesses import SYSTEM
from tests.verdict.triage import made_up
from tui.barman import wal
from tui.cnpg.happening import RETENTION_FAILED, Happening
from tui.cnpg.instance import InstanceStatus, Passed
from tui.verdict import health, window
from tui.verdict.level import Level
from tui.verdict.witnesses import NO_SUCH_OBJECT, Film, NotKnown, Witnesses

HEALTHY = 200
SPOILT = 200
SUFFIXES = ("", ".gz", ".zst", ".lz4", ".snappy")


@dataclass
class Made:
    """A cluster that is well, and the moment it is looked at."""

    archive: Archive
    timeline: int
    first: int
    """The segment the newest base backup begins with."""
    last: int
    now: datetime
    instances: int
    running: bool
    """Whether a base backup is being taken."""
    switching: bool

    @property
    def newest(self) -> str:
        return str(wal.at(self.timeline, self.last, self.archive.segment_size))

    @property
    def landed(self) -> datetime:
        return BEGIN + self.last * MINUTE


def make(chance: random.Random) -> Made:
    """Any of the shapes healthy clusters have."""
    size = chance.choice(wal.SEGMENT_SIZES)
    archive = Archive(size, root="prod")
    timeline = 1
    lines: list[tuple[int, int]] = []
    number = chance.choice([1, 5, 2 * wal.per_directory(size) - 4, 0xFF])
    suffixes = chance.sample(SUFFIXES, chance.choice([1, 1, 2]))
    first_base = number + chance.randrange(3)
    kept = chance.random() < 0.5
    bases: list[str] = []
    for _ in range(chance.choice([1, 1, 2, 3, 7])):
        end = number + chance.randrange(90, 200)
        begin = first_base if kept and not bases else number  # retention has pruned what was before
        for at in range(begin, end):
            archive.wal(timeline, [at], chance.choice(suffixes))
        bases.append(archive.base(timeline, begin, begin + chance.choice([0, 1, 2])))
        last_base = begin
        number = end
        if chance.random() < 0.6 and timeline < 7:
            # The switch leaves the parent's last segment unfinished: it lives on in the child.
            lines = [*lines, (timeline, number * size + chance.choice([40, 0x120, size - 8]))]
            timeline += 1
            archive.history(timeline, *lines)
    archive.wal(timeline, range(number, number + 70), chance.choice(suffixes))
    last = number + 69
    running = chance.random() < 0.2
    if running:
        archive.base(timeline, last, status="STARTED", files=(), end=BEGIN + last * MINUTE)
    idle = chance.choice([timedelta(seconds=20), timedelta(minutes=4), timedelta(hours=5)])
    return Made(
        archive,
        timeline,
        last_base,
        last,
        BEGIN + last * MINUTE + idle,
        chance.choice([1, 2, 3, 5]),
        running,
        chance.random() < 0.1,
    )


def film(made: Made) -> Film:
    judged = made.archive.judge(made.now)
    listed = made.archive.listed
    found = window.of(judged)
    return Film(listed, judged, found, made.now, made.now, "", frozenset({SYSTEM}))


def asked(made: Made) -> InstanceStatus:
    following = wal.at(made.timeline, made.last + 1, made.archive.segment_size)
    return InstanceStatus(
        at=made.now,
        is_primary=True,
        is_archiving=True,
        last_archived=Passed(made.newest, made.landed),
        last_failed=None,
        waiting=0,
        current_wal=str(following),
        timeline=made.timeline,
        system_id=SYSTEM,
    )


def witnesses(made: Made) -> Witnesses:
    """All that is said of it."""
    names = [f"pg-{number}" for number in range(1, made.instances + 1)]
    target = names[-1] if made.switching else "pg-1"
    cluster = made_up.a_cluster(instances=made.instances, targetPrimary=target)
    backups = [made_up.a_backup(created=made_up.stamp(made.landed - timedelta(hours=1)))]
    if made.running:
        begun = made_up.stamp(made.now - timedelta(minutes=3))
        backups.append(made_up.a_backup("running", "started", created=begun))
    return made_up.witnesses(
        cluster=cluster,
        store=made_up.a_store(retention="365d"),
        backups=tuple(backups),
        schedules=(),
        film=film(made),
        instance=asked(made),
        pods=tuple(made_up.a_pod(name) for name in names),
    )


def bygones(made: Made, chance: random.Random) -> Witnesses:
    """The same with Events that are over, and a clock that is some seconds off."""
    seen = witnesses(made)
    events = (
        ("BackupCreation", "ScheduledBackup gone", 3),
        ("FindingPod", "Backup running", 4),
        ("BackupPending", "Backup done-since", 2),
        ("RetentionPolicyFailed", "Cluster pg", 45),
        ("RetentionPolicyFailed", "Cluster other", 1),
        ("FailedMount", "Pod pg-1", 2),
        ("Unhealthy", "Pod pg-1", 1),
    )
    told = tuple(
        Happening(
            "Warning", reason, "it failed", "x", made.now - timedelta(minutes=age), 3, about, "prod"
        )
        for reason, about, age in sorted(
            chance.sample(events, chance.randint(0, len(events))), key=lambda each: -each[2]
        )
    )
    assert isinstance(seen.film, Film)
    skew = timedelta(seconds=chance.uniform(-90, 90))
    return replace(seen, happenings=told, film=replace(seen.film, skew=skew))


@pytest.mark.parametrize("seed", range(HEALTHY))
def test_a_healthy_cluster_raises_no_alarm(seed: int) -> None:
    chance = random.Random(seed)
    made = make(chance)
    found = health.judge(bygones(made, chance), made.now)
    assert (found.level, found.findings) == (Level.PROTECTED, ())
    assert found.window is not None
    assert found.window.until == made.landed


def test_a_new_cluster_raises_no_alarm_before_its_first_base_backup() -> None:
    for seed in range(20):
        made = make(random.Random(seed))
        made.archive = Archive(made.archive.segment_size, root="prod")
        made.archive.wal(1, range(1, 9))
        made.timeline, made.last = 1, 8
        young = replace(
            made_up.a_cluster(instances=made.instances), created=made.now - timedelta(hours=2)
        )
        seen = replace(witnesses(made), cluster=young, backups=())
        found = health.judge(seen, made.now)
        assert found.level is Level.UNKNOWN, found.headline


@pytest.mark.parametrize(
    ("status", "end", "level"),
    [("STARTED", 8, Level.UNKNOWN), ("DONE", 9, Level.UNKNOWN), ("FAILED", 8, Level.FAILING)],
    ids=["runs", "its last WAL is on its way", "failed"],
)
def test_the_first_base_backup_of_a_new_cluster_is_no_alarm_until_it_went_wrong(
    status: str, end: int, level: Level
) -> None:
    made = make(random.Random(1))
    made.archive = Archive(made.archive.segment_size, root="prod")
    made.archive.wal(1, range(1, 9))
    made.archive.base(1, 7, end, status=status)
    made.timeline, made.last, made.now = 1, 8, BEGIN + 9 * MINUTE
    young = replace(made_up.a_cluster(), created=made.now - timedelta(hours=2))
    found = health.judge(replace(witnesses(made), cluster=young, backups=()), made.now)
    assert found.level is level, found.headline


def torn(made: Made, chance: random.Random) -> Witnesses:
    """Segments are gone behind the newest base backup."""
    begin = chance.randrange(made.first, made.last - 69)
    count = chance.choice([1, 1, 2, 30])
    gone = [
        key
        for key in made.archive.rows
        for number in range(begin, begin + count)
        for timeline in range(1, 8)
        if f"/{wal.at(timeline, number, made.archive.segment_size)}" in key
    ]
    for key in set(gone):
        del made.archive.rows[key]
    assert gone
    return witnesses(made)


def without_bases(made: Made, chance: random.Random) -> Witnesses:
    """Every base backup has lost its data or its backup.info."""
    ending = chance.choice(("backup.info", "data.tar.gz"))
    for key in [key for key in made.archive.rows if "/base/" in key and key.endswith(ending)]:
        del made.archive.rows[key]
    if ending == "backup.info":
        made.archive.infos.clear()
    return witnesses(made)


def gone_nowhere(made: Made, chance: random.Random) -> Witnesses:
    """PostgreSQL archives on, and nothing of it lands."""
    ahead = wal.at(made.timeline, made.last + chance.randrange(1, 500), made.archive.segment_size)
    later = made.now + timedelta(minutes=30)
    status = replace(asked(made), last_archived=Passed(str(ahead), later - timedelta(minutes=20)))
    seen = replace(witnesses(made), instance=replace(status, at=later))
    assert isinstance(seen.film, Film)
    made.now = later
    return replace(seen, film=replace(seen.film, at=later, whole=later))


def clocks_apart(made: Made, chance: random.Random) -> Witnesses:
    """This machine's clock is off: what looks fresh may be late."""
    seen = witnesses(made)
    assert isinstance(seen.film, Film)
    skew = timedelta(minutes=chance.uniform(3.1, 600) * chance.choice([1, -1]))
    return replace(seen, film=replace(seen.film, skew=skew))


def prunes_nothing(made: Made, chance: random.Random) -> Witnesses:
    """The plugin says that retention fails."""
    last = made.now - timedelta(minutes=chance.uniform(0, 35))
    told = Happening("Warning", RETENTION_FAILED, "", "policy-runnable", last, 1, "Cluster pg")
    return replace(witnesses(made), happenings=(told,))


def not_looked(made: Made, chance: random.Random) -> Witnesses:
    """One witness is missing, or was heard too long ago."""
    seen = witnesses(made)
    assert isinstance(seen.film, Film)
    return chance.choice(
        [
            replace(seen, film=NotKnown("the Secret may not be read")),
            replace(seen, film=replace(seen.film, whole=None)),
            replace(seen, film=replace(seen.film, at=made.now - timedelta(minutes=11))),
            replace(seen, unheard_since=made.now - timedelta(minutes=11)),
            replace(seen, store=NO_SUCH_OBJECT, film=NotKnown("there is no ObjectStore")),
        ]
    )


def switched_off(made: Made, chance: random.Random) -> Witnesses:
    """Nothing archives, though every status is green."""
    plugins = chance.choice([[], [{**made_up.PLUGIN, "enabled": False}]])
    return replace(witnesses(made), cluster=made_up.a_cluster(spec={"plugins": plugins}))


def strangers(made: Made, chance: random.Random) -> Witnesses:
    """Another cluster writes there."""
    seen = witnesses(made)
    assert isinstance(seen.film, Film)
    return replace(seen, film=replace(seen.film, system_ids=frozenset({SYSTEM, "1"})))


def out_of_reach(made: Made, chance: random.Random) -> Witnesses:
    """A standby was promoted, and the history of its timeline never came."""
    made.timeline += 1
    made.archive.wal(made.timeline, range(made.last + 1, made.last + 21))
    made.last += chance.choice([19, 20])
    made.now += timedelta(minutes=20)
    return witnesses(made)


SPOILERS: tuple[Callable[[Made, random.Random], Witnesses], ...] = (
    torn,
    without_bases,
    gone_nowhere,
    not_looked,
    switched_off,
    strangers,
    out_of_reach,
    clocks_apart,
    prunes_nothing,
)


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_what_is_spoilt_is_never_green(spoil: Callable[[Made, random.Random], Witnesses]) -> None:
    for seed in range(SPOILT // len(SPOILERS)):
        chance = random.Random(seed)
        made = make(chance)
        found = health.judge(spoil(made, chance), made.now)
        assert found.level is not Level.PROTECTED, f"seed {seed}: {found.headline}"
