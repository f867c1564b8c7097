"""The evidence bundle tells all that is known, what is not and why, and no secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.panes import objects
from tests.verdict.test_two_witnesses import NOW
from tests.verdict.triage.made_up import failing, judged, said_by_barman, witnesses
from tui.cnpg.happening import Happening
from tui.cnpg.location import NoLocation
from tui.cnpg.location import of as location_of
from tui.cnpg.manifest import BACKUPS, CLUSTERS, Key
from tui.cnpg.sidecar_log import LogLine
from tui.cnpg.store import ObjectStore
from tui.verdict import bundle
from tui.verdict.bundle import Paper, Papers, Subject
from tui.verdict.witnesses import NotKnown, Witnesses

CANARY = "c4n4ry-5ecret"
FORBIDDEN = NotKnown("cannot list events in production: forbidden. Ask for list on events")


def subject(seen: Witnesses) -> Subject:
    store = seen.store if isinstance(seen.store, ObjectStore) else None
    return Subject(
        key=seen.cluster.key,
        seen=seen,
        verdict=judged(seen),
        where=location_of(seen.cluster, store) if store else NoLocation("not known"),
        at=NOW,
        context="prod-eu",
        programs="cnpg-tui 1.2.3",
    )


def papers(
    *found: Paper,
    happenings: tuple[Happening, ...] | NotKnown = (),
    log: tuple[LogLine, ...] | NotKnown = (),
) -> Papers:
    return Papers(found, happenings, log, "v1.36.3")


def a_paper(**cluster: object) -> Paper:
    source = objects.a_cluster("pg", **cluster)  # type: ignore[arg-type]
    return Paper(CLUSTERS, Key("production", "pg"), source)


def section(text: str, title: str) -> list[str]:
    """The lines below a title."""
    _, _, rest = text.partition(f"== {title} ==\n")
    return rest.partition("\n\n== ")[0].splitlines()


def test_a_healthy_cluster_from_the_verdict_to_the_manifest() -> None:
    seen = witnesses()
    plugin = {"name": "barman-cloud.cloudnative-pg.io", "version": "0.14.0"}
    text = bundle.text(subject(seen), papers(a_paper(pluginStatus=[plugin])))
    assert text.startswith(f"cnpg-tui evidence bundle of Cluster {seen.cluster.key}\n")
    assert "Kubernetes v1.36.3" in text
    assert "plugin      barman-cloud.cloudnative-pg.io 0.14.0" in text
    assert section(text, "Verdict")[0].startswith("protected: restorable from ")
    assert section(text, "Findings") == ["none"]
    assert section(text, "Events")[0].startswith("none")
    assert all(line.startswith(("o ", "    ")) for line in section(text, "Ladder"))
    assert any(line.startswith("wals/") for line in section(text, "Bucket"))
    assert "kind: Cluster" in section(text, "Objects, without secrets")


def test_a_failure_stands_there_with_what_was_seen_and_what_to_do() -> None:
    error = "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied."
    seen = failing(sidecar_errors=said_by_barman(error))
    text = bundle.text(subject(seen), papers())
    assert any(line.startswith("failing access-denied: ") for line in section(text, "Findings"))
    assert any(line.startswith("x permission") for line in section(text, "Ladder"))
    assert any(error in line for line in section(text, "Errors in the sidecar's log"))


@pytest.mark.parametrize(
    "title", ["Events", "Errors in the sidecar's log", "Pods", "Backups", "Bucket"]
)
def test_what_could_not_be_read_says_why(title: str) -> None:
    seen = witnesses(pods=FORBIDDEN, backups=FORBIDDEN, film=FORBIDDEN)
    text = bundle.text(subject(seen), papers(happenings=FORBIDDEN, log=FORBIDDEN))
    assert any(FORBIDDEN.why in line for line in section(text, title))


def test_an_object_that_could_not_be_had_says_why() -> None:
    gone = Paper(BACKUPS, Key("production", "pg-1"), NotKnown("there is none of that name"))
    lines = section(bundle.text(subject(witnesses()), papers(gone)), "Objects, without secrets")
    assert lines == ["--- # Backup production/pg-1", "# not known: there is none of that name"]


def test_a_secret_from_outside_is_left_out_wherever_it_turns_up() -> None:
    told = f"could not connect to postgres://app:{CANARY}@db/app, password={CANARY}"
    seen = failing(sidecar_errors=said_by_barman(told))
    event = Happening("Warning", "Failed", told, "instance", NOW, 3, "Backup pg-1")
    log = (LogLine(NOW, "plugin", told),)
    env = [{"name": "PGPASSWORD", "value": CANARY}]
    paper = a_paper(
        spec={"env": env},
        annotations={"kubectl.kubernetes.io/last-applied-configuration": told},
    )
    text = bundle.text(subject(seen), papers(paper, happenings=(event,), log=log))
    assert CANARY not in text
    assert "Backup pg-1  Warning Failed x3  could not connect" in text


def test_the_text_is_plain_lines_without_control_characters() -> None:
    paper = a_paper(phase="odd \x1b[31m \u202e")
    text = bundle.text(subject(witnesses()), papers(paper))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_session_tells_how_the_verdict_turned() -> None:
    seen = subject(failing())
    turn = "2026-11-26T22:00:00Z  protected -> failing: WAL has not reached the bucket"
    told = {
        turns: section(bundle.text(replace(seen, turns=turns), papers()), "Changes of the verdict")
        for turns in (None, (), (turn,))
    }
    assert told == {None: [], (): ["none in this session"], (turn,): [turn]}


def test_only_the_newest_of_many_are_told() -> None:
    many = tuple(
        replace(Happening("Normal", f"No{n}", "", "", NOW, 1, "Cluster pg")) for n in range(500)
    )
    lines = section(bundle.text(subject(witnesses()), papers(happenings=many)), "Events")
    assert len(lines) == bundle.HAPPENINGS
    assert "No499" in lines[-1]


def test_the_file_is_named_after_the_cluster_and_the_moment() -> None:
    at = NOW.replace(year=2026, month=11, day=26, hour=22, minute=0, second=0)
    name = bundle.file_name(Key("production", "pg-orders"), at)
    assert name == "cnpg-tui-production-pg-orders-20261126T220000Z.txt"
