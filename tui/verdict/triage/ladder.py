"""The ladder: its rungs in the order in which WAL and base backups come to be restorable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tui.verdict.level import Finding, Level
from tui.verdict.triage import (
    bases,
    case,
    happenings,
    plugin,
    retention,
    rights,
    schedules,
    secret,
    sidecar,
    store,
    texts,
    wal,
)
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Rule, Rung, Sound, State, Trouble
from tui.verdict.witnesses import NotKnown, Witnesses


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the ladder: its rules, and why it holds if none of them speaks.

    ``symptoms`` are codes of the verdict's own findings that show here, with their numbers in the
    catalogue.
    """

    code: str
    title: str
    sound: Sound
    rules: tuple[Rule, ...] = ()
    symptoms: dict[str, tuple[str, ...]] = field(default_factory=dict)


STEPS: tuple[Step, ...] = (
    Step(
        "plugin",
        "plugin known",
        plugin.known,
        (plugin.no_service, plugin.not_ready, plugin.not_trusted, plugin.not_taken_up),
    ),
    Step(
        "archiver",
        "archiver configured",
        plugin.configured,
        (
            plugin.no_store_named,
            plugin.two_archivers,
            plugin.flag_is_off,
            plugin.hibernated,
            plugin.fenced,
        ),
        {"unprotected": ("F01",), "no-wal-archive": ("F01",), "archiving-off": ("F35",)},
    ),
    Step(
        "store",
        "ObjectStore sane",
        store.sane,
        (
            store.missing,
            store.odd_endpoint,
            store.not_on_r2,
            store.checksums,
            store.unequal_parts,
            store.no_endpoint,
        ),
    ),
    Step(
        "secret",
        "Secret and rights",
        secret.readable,
        (
            secret.missing,
            secret.lacks_key,
            secret.no_value,
            secret.blank_ends,
            rights.absent,
            rights.lacking,
            rights.unbound,
            sidecar.other_account,
        ),
    ),
    Step(
        "sidecar",
        "sidecar runs",
        sidecar.runs,
        (
            sidecar.missing,
            sidecar.dead,
            sidecar.old_environment,
            sidecar.not_rolled,
            sidecar.former_primary,
            happenings.pod_held_up,
        ),
    ),
    Step("network", "endpoint reached", wal.reached, (), {"clocks-differ": ("F40",)}),
    Step("bucket", "bucket", wal.bucket_there),
    Step("permission", "permission", wal.writable),
    Step(
        "empty",
        "archive is its own",
        wal.own,
        (wal.somebody_elses,),
        {"server-name-clash": ("F10",)},
    ),
    Step(
        "leaves",
        "WAL leaves",
        wal.leaves,
        (wal.disk_full, wal.disk_fills, wal.switching_over),
        {
            "archiving-fails": (),
            "witnesses-disagree": (),
            "nothing-archived": (),
            "queue-grows": ("F31",),
            "hangs": ("F08",),
        },
    ),
    Step(
        "lands",
        "WAL lands",
        wal.lands,
        (),
        {"does-not-land": ("F01", "F02"), "not-archived": ("F35",), "quiet": ()},
    ),
    Step(
        "bases",
        "base backups",
        bases.complete,
        (
            happenings.no_pod_to_take_it,
            bases.queue_stuck,
            bases.misreported,
            bases.failed,
            bases.without_wal,
            bases.hangs,
            bases.incomplete,
            bases.without_data,
            bases.absent,
        ),
        {"no-base-backup": (), "first-backup-due": (), "last-backup-failed": ()},
    ),
    Step(
        "continuity",
        "WAL whole",
        bases.whole,
        (),
        {
            "torn-film": ("F38",),
            "cut-off": ("F38",),
            "other-timeline": ("F10", "F38"),
            "not-latest": ("F10", "F38"),
            "hole": ("F38",),
        },
    ),
    Step(
        "schedule",
        "schedule fires",
        schedules.fires,
        (
            schedules.five_fields,
            schedules.names_no_plugin,
            schedules.other_method,
            schedules.never_fires,
            happenings.backup_refused,
            schedules.overdue,
            schedules.suspended,
        ),
    ),
    Step(
        "retention",
        "retention",
        retention.runs,
        (
            retention.unreadable,
            happenings.retention_fails,
            retention.idle,
            retention.eaten,
            retention.no_policy,
            retention.window_jumped,
        ),
    ),
    Step(
        "window",
        "window",
        retention.reaches,
        (),
        {
            "nothing-restorable": ("F37",),
            "snapshots-alone": (),
            "stale": (),
            "server-silent": (),
            "looking": (),
            "one-witness": (),
        },
    ),
)


def climb(seen: Witnesses, now: datetime, symptoms: Sequence[Finding]) -> tuple[Rung, ...]:
    """Every rung from the bottom; one for each thing that is wrong, or one that says why it holds."""
    at = case.of(seen, now)
    return tuple(rung for step in STEPS for rung in _rungs(step, at, symptoms))


def causes(ladder: Sequence[Rung], symptoms: Sequence[Finding]) -> list[Finding]:
    """Broken rungs as findings, those the symptoms do not name already."""
    named = {finding.code for finding in symptoms}
    found: dict[str, Finding] = {}
    for rung in ladder:
        if rung.state is State.BROKEN and rung.code not in named:
            advice = ": ".join(part for part in (rung.remedy, rung.command) if part)
            finding = Finding(
                rung.code, rung.level, rung.word, rung.headline, advice, rung.evidence
            )
            found.setdefault(rung.code, finding)
    return list(found.values())


def _rungs(step: Step, at: Case, symptoms: Sequence[Finding]) -> Iterator[Rung]:
    """The causes first, then the symptoms; a remark stands in for the words of a rung that holds."""
    found = [_rung(step, trouble, known.numbers) for known, trouble in texts.look(at, step.code)]
    told, follow = {rung.code for rung in found}, set[str]()
    for rule in step.rules:
        trouble = rule.look(at)
        if trouble is None:
            continue
        follow.update(trouble.explains)
        if trouble.code not in told:
            told.add(trouble.code)
            found.append(_rung(step, trouble, rule.numbers))
    found += [
        _symptom(step, finding)
        for finding in symptoms
        if finding.code in step.symptoms and finding.code not in told
    ]
    if not any(rung.state is not State.HOLDS for rung in found):
        yield _sound(step, at, found[0] if found else None)
        found = found[1:]
    yield from sorted(found, key=lambda rung: (rung.level, rung.code in follow))


def _rung(step: Step, trouble: Trouble, numbers: tuple[str, ...]) -> Rung:
    return Rung(
        code=trouble.code,
        title=step.title,
        state=_state(trouble.level),
        evidence=trouble.evidence,
        level=trouble.level,
        headline=trouble.headline,
        word=trouble.word,
        remedy=trouble.remedy,
        command=trouble.command,
        fix=trouble.fix,
        numbers=numbers,
    )


def _symptom(step: Step, finding: Finding) -> Rung:
    return Rung(
        code=finding.code,
        title=step.title,
        state=_state(finding.level),
        evidence=finding.headline,
        level=finding.level,
        headline=finding.headline,
        word=finding.word,
        remedy=finding.advice,
        fix=finding.fix,
        numbers=step.symptoms[finding.code],
    )


def _sound(step: Step, at: Case, remark: Rung | None) -> Rung:
    if remark is not None:
        return remark
    said = step.sound(at)
    if isinstance(said, NotKnown):
        return Rung(step.code, step.title, State.UNKNOWN, said.why, Level.UNKNOWN)
    return Rung(step.code, step.title, State.HOLDS, said)


def _state(level: Level) -> State:
    if level is Level.UNKNOWN:
        return State.UNKNOWN
    return State.HOLDS if level is Level.PROTECTED else State.BROKEN
