"""Each rule from a healthy cluster that is spoilt in one place, named after the symptom."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive
from tests.verdict.test_two_witnesses import BASE, NOW, SYSTEM, film, instance
from tests.verdict.triage.made_up import (
    EXIT,
    PLUGIN,
    a_backup,
    a_cluster,
    a_pod,
    a_schedule,
    a_store,
    ago,
    archiving,
    broken,
    failing,
    first,
    judged,
    remarks,
    said_by_barman,
    witnesses,
)
from tui.barman.continuity import Reach, Usable
from tui.barman.s3 import Rule
from tui.cnpg import plugin_service, secret
from tui.cnpg.happening import Happening
from tui.cnpg.manifest import Key
from tui.cnpg.plugin_service import PluginPod
from tui.cnpg.store import CHECKSUM_VARIABLES
from tui.verdict import health, window
from tui.verdict.fix import ChangeSchedule, DeleteBackup, SetChecksums, SetOptions, SwitchOn
from tui.verdict.level import Level
from tui.verdict.triage.rung import State
from tui.verdict.window import NoWindow
from tui.verdict.witnesses import NO_SUCH_OBJECT, Film, NotKnown, PluginSeen, Witnesses

UNSAID = {**PLUGIN, "isWALArchiver": False}
IN_TREE = {"barmanObjectStore": {"destinationPath": "s3://acme-pg/prod"}}
OTHER_PHASE = "Cluster cannot proceed to reconciliation due to an {}"


def failed_backup(error: str, **more: Any) -> Witnesses:
    last = a_backup("pg-20261122120000", "failed", created="2026-11-22T12:00:00Z", error=error)
    return witnesses(backups=(a_backup(), last), **more)


def test_a_healthy_cluster_breaks_no_rung_and_raises_nothing() -> None:
    found = judged(witnesses())
    assert (found.level, found.findings) == (Level.PROTECTED, ())
    assert {rung.state for rung in found.ladder} == {State.HOLDS}
    assert remarks(witnesses()) == []


PHASES = [
    ("unknown plugin being required", "Unknown plugin: 'barman-clod'", "plugin-unknown"),
    (
        "error while interacting with plugins",
        "Error while discovering plugins: dial tcp 10.0.0.1:9090: connect: connection refused",
        "plugin-down",
    ),
    (
        "error while interacting with plugins",
        "authentication handshake failed: tls: failed to verify certificate: x509: unknown",
        "plugin-tls",
    ),
]


@pytest.mark.parametrize(("phase", "reason", "code"), PHASES)
def test_the_operator_that_cannot_use_the_plugin(phase: str, reason: str, code: str) -> None:
    stuck = a_cluster(phase=OTHER_PHASE.format(phase), phaseReason=reason)
    assert first(witnesses(cluster=stuck)) == code


def test_a_plugin_that_is_down_is_not_why_wal_does_not_land() -> None:
    stuck = a_cluster(
        archiving("False", EXIT.format(4)),
        phase=OTHER_PHASE.format("error while interacting with plugins"),
    )
    late = film(newest=NOW - timedelta(hours=2, minutes=10))
    lines = said_by_barman("(AccessDenied)")
    found = judged(witnesses(cluster=stuck, film=late, sidecar_errors=lines)).findings
    assert [(one.code, one.level) for one in found if one.code != "archiving-fails"] == [
        ("access-denied", Level.FAILING),
        ("plugin-down", Level.DEGRADED),
    ]


CONDITIONS = [
    (EXIT.format(1), "not-empty"),
    (EXIT.format(2), "endpoint-unreachable"),
    (EXIT.format(3), "bad-arguments"),
    (EXIT.format(4), "archiving-fails"),
    ("unexpected failure invoking barman-cloud-wal-archive: signal: killed", "sidecar-killed"),
    (f"wal archive plugin is not available: {PLUGIN['name']}", "sidecar-missing"),
    (
        (
            "while querying plugin identity: rpc error: code = Unavailable desc = connection error: "
            'desc = "transport: Error while dialing: dial unix /plugins/x: connect: refused"'
        ),
        "sidecar-dead",
    ),
    ('objectstores.barmancloud.cnpg.io "r2" not found', "store-missing"),
    ('objectstores.barmancloud.cnpg.io "r2" is forbidden: User "x" cannot', "store-forbidden"),
    ('while getting secret r2-creds: secrets "r2-creds" not found', "secret-missing"),
    ("missing key ACCESS_KEY_ID, inside secret r2-creds", "secret-key"),
    (
        (
            "rpc error: code = FailedPrecondition desc = no permission to download the backup "
            "credentials, retrying"
        ),
        "role-stale",
    ),
    ("invalid configuration, missing barman object store reference", "store-not-named"),
]


@pytest.mark.parametrize(("message", "code"), CONDITIONS)
def test_what_the_condition_of_failing_archiving_says_is_the_first_finding(
    message: str, code: str
) -> None:
    found = judged(failing(message))
    assert (found.level, found.findings[0].code) == (Level.FAILING, code)
    assert found.headline == "WAL has not reached the bucket since 11:50:00Z (130m)"


LINES = [
    ("An error occurred (AccessDenied) when calling the PutObject operation: no", "access-denied"),
    ("An error occurred (403) when calling the HeadBucket operation: Forbidden", "access-denied"),
    ("An error occurred (InvalidAccessKeyId) when calling the PutObject operation", "unknown-key"),
    ("An error occurred (SignatureDoesNotMatch) when calling PutObject", "wrong-secret"),
    ("An error occurred (NoSuchBucket) when calling the PutObject operation", "no-bucket"),
    ('Could not connect to the endpoint URL: "https://nowhere/"', "endpoint-unreachable"),
    ("SSL validation failed for https://x/ [SSL: CERTIFICATE_VERIFY_FAILED]", "tls"),
    ("An error occurred (RequestTimeTooSkewed) when calling the PutObject", "clock-skew"),
    ("Invalid s3 URL address: acme-pg/prod", "bad-endpoint"),
    ("Unable to locate credentials", "no-credentials"),
    ("Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY", "no-credentials"),
    (
        "Connection was closed before we received a valid response from endpoint URL",
        "endpoint-closes",
    ),
    ("An error occurred (404) when calling the PutObject operation: Not Found", "not-s3"),
    ("Unable to parse response (not well-formed), invalid XML received.", "not-s3"),
    ("WAL archive check failed for server pg: Expected empty archive", "not-empty"),
    ("(NotImplemented) Header 'x-amz-tagging' with value 'a=b' not implemented", "not-on-r2"),
    (
        (
            "An error occurred (InvalidArgument) when calling the PutObject operation: "
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value."
        ),
        "checksums",
    ),
]


@pytest.mark.parametrize(("text", "code"), LINES)
def test_the_error_in_the_sidecars_log_names_the_cause(text: str, code: str) -> None:
    found = judged(failing(sidecar_errors=said_by_barman(text)))
    assert (found.level, found.findings[0].code) == (Level.FAILING, code)
    assert found.findings[0].evidence.startswith("sidecar at 13:58:00Z: ")
    assert found.findings[0].advice


def test_an_old_line_in_the_log_is_not_why_archiving_fails_now() -> None:
    line = replace(said_by_barman("(AccessDenied)")[0], at=NOW - timedelta(hours=1))
    assert first(failing(sidecar_errors=(line,))) == "archiving-fails"


def test_errors_in_the_log_of_archiving_that_works_again_are_no_finding() -> None:
    assert first(witnesses(sidecar_errors=said_by_barman("(AccessDenied)"))) == ""


BACKUPS = [
    ("requested plugin is not available: barman", "sidecar-not-rolled"),
    ("cannot proceed with the backup as the cluster has no backup section", "in-tree-method"),
    ("no barmanObjectStore section defined on the target cluster", "in-tree-method"),
    ("cannot proceed with the backup as the cluster has no plugin configured", "no-plugin"),
    ("instance manager was restarted during backup on pod pg-2", "restarted"),
    ("cannot backup a hibernated cluster", "hibernated"),
    ("rpc error: code = Unknown desc = exit status 3", "bad-arguments"),
    ("rpc error: code = Unknown desc = exit status 1", "backup-failed"),
]


@pytest.mark.parametrize(("error", "code"), BACKUPS)
def test_the_error_of_the_newest_backup_degrades(error: str, code: str) -> None:
    found = judged(failed_backup(error))
    assert (found.level, found.findings[0].code) == (Level.DEGRADED, code)


def test_a_failed_backup_that_a_later_one_made_up_for_is_no_finding() -> None:
    old = a_backup("pg-1", "failed", created="2026-11-21T02:00:00Z", error="exit status 1")
    assert first(witnesses(backups=(old, a_backup()))) == ""


BACKUP_LINES = [
    ("Upload error: (InvalidPart): All non-trailing parts must have the same", "unequal-parts"),
    ("[Errno 28] No space left on device", "no-temp-space"),
    ("Unsafe to proceed with deletion due to failure reading backup catalog", "retention-fails"),
    ("(ObjectLockedByBucketPolicy) when calling the DeleteObjects operation", "bucket-lock"),
]


@pytest.mark.parametrize(("text", "code"), BACKUP_LINES)
def test_the_log_says_why_a_base_backup_failed(text: str, code: str) -> None:
    lines = said_by_barman(text, "barman-cloud-backup")
    assert first(failed_backup("desc = exit status 1", sidecar_errors=lines)) == code


def no_store() -> Witnesses:
    return witnesses(store=NO_SUCH_OBJECT, film=NotKnown("ObjectStore prod/r2 is not there"))


def a_spec(**spec: Any) -> Witnesses:
    return witnesses(cluster=a_cluster(spec=spec))


KILLED = {"ready": False, "restartCount": 7, "lastState": {"terminated": {"reason": "OOMKilled"}}}
SPOILT: list[tuple[str, Witnesses, Level]] = [
    ("unprotected", a_spec(plugins=[{**PLUGIN, "enabled": False}]), Level.UNPROTECTED),
    ("unprotected", a_spec(plugins=[]), Level.UNPROTECTED),
    ("store-not-named", a_spec(plugins=[{**PLUGIN, "parameters": {}}]), Level.FAILING),
    ("two-archivers", a_spec(plugins=[UNSAID], backup=IN_TREE), Level.DEGRADED),
    ("store-missing", no_store(), Level.FAILING),
    ("sidecar-missing", witnesses(pods=(a_pod(sidecar=False),)), Level.FAILING),
    ("sidecar-dead", witnesses(pods=(a_pod(sidecar=KILLED),)), Level.DEGRADED),
    ("disk-full", witnesses(pods=(a_pod(postgres=4, ready=False),)), Level.FAILING),
    (
        "disk-full",
        witnesses(
            cluster=a_cluster(phase="Not enough disk space", phaseReason="Insufficient disk space")
        ),
        Level.DEGRADED,
    ),
    (
        "archiving-off",
        witnesses(cluster=a_cluster(annotations={"cnpg.io/skipWalArchiving": "enabled"})),
        Level.FAILING,
    ),
    ("queue-grows", witnesses(instance=instance(waiting=163)), Level.DEGRADED),
    ("switchover-hangs", witnesses(cluster=a_cluster(
        archiving("False", "switchover in progress, refusing archiving"),
        targetPrimary="pg-2", targetPrimaryTimestamp=ago(minutes=16))), Level.DEGRADED),
    ("does-not-land", witnesses(instance=instance(archived=99)), Level.FAILING),
    ("torn-film", witnesses(film=film(missing=(20, 21))), Level.FAILING),
    ("cut-off", witnesses(film=film(promoted=True)), Level.FAILING),
    ("five-field-cron", witnesses(schedules=(a_schedule("0 2 * * *"),)), Level.DEGRADED),
    (
        "schedule-without-plugin",
        witnesses(schedules=(a_schedule(pluginConfiguration={"name": ""}),)),
        Level.DEGRADED,
    ),
    (
        "schedule-method",
        witnesses(schedules=(a_schedule(method="barmanObjectStore"),)),
        Level.DEGRADED,
    ),
    (
        "not-taken-up",
        witnesses(backups=(a_backup(), a_backup("new", "", created=ago(minutes=6)))),
        Level.DEGRADED,
    ),
    (
        "queue-stuck",
        witnesses(backups=(a_backup(), a_backup("new", "started", created=ago(hours=12)))),
        Level.DEGRADED,
    ),
    (
        "queue-stuck",
        witnesses(backups=(a_backup(), a_backup("new", "pending", created=ago(minutes=11)))),
        Level.DEGRADED,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "seen", "level"), SPOILT, ids=[each[0] for each in SPOILT])
def test_what_is_spoilt_is_the_first_finding(code: str, seen: Witnesses, level: Level) -> None:
    found = judged(seen)
    assert (found.findings[0].code, found.level) == (code, level)
    assert code in {rung.code for rung in broken(seen)}


def test_a_first_primary_that_is_recovered_for_hours_is_no_switchover() -> None:
    new = a_cluster(currentPrimary="", targetPrimary="pg-1", targetPrimaryTimestamp=ago(hours=3))
    codes = [one.code for one in judged(witnesses(cluster=replace(new, conditions=()))).findings]
    assert codes == ["nothing-archived"]


def test_a_schedule_that_missed_its_slot_is_overdue() -> None:
    late = replace(a_schedule("0 0 */6 * * *"), next_schedule=NOW - timedelta(hours=6))
    assert first(witnesses(schedules=(late,))) == "schedule-overdue"


def test_an_operator_in_another_zone_makes_no_schedule_overdue() -> None:
    # 02:00 in Auckland: by our reckoning a slot has passed, by the operator's own none has.
    there = replace(a_schedule(), last_check=NOW - timedelta(hours=13))
    assert first(witnesses(schedules=(there,))) == ""


NEVER_FIRED: dict[str, Any] = {"next_schedule": None, "last_schedule": None}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schedule": "0 0 0 30 2 *"}, "no day 30 in February"),
        ({"schedule": "0 0 25 * * *"}, "CNPG refuses it"),
        ({"key": Key("prod", "n" * 64)}, "64 characters"),
        ({"error": "the resource failed", "next_schedule": NOW + timedelta(hours=9)}, "guard"),
    ],
    ids=["no such day", "refused", "name too long", "by the guard"],
)
def test_a_schedule_that_makes_no_backup_at_all_degrades(fields: dict[str, Any], said: str) -> None:
    found = judged(witnesses(schedules=(replace(a_schedule(), **{**NEVER_FIRED, **fields}),)))
    assert (found.level, found.findings[0].code) == (Level.DEGRADED, "schedule-never-fires")
    assert said in found.findings[0].evidence


@pytest.mark.parametrize(
    ("last_check", "created", "code"),
    [
        (None, timedelta(days=3), "schedule-overdue"),
        (None, timedelta(minutes=2), ""),
        (timedelta(days=3), timedelta(days=3), "schedule-overdue"),
        (timedelta(hours=11), timedelta(days=3), ""),
    ],
    ids=["never looked at", "just created", "first slot missed", "first slot to come in some zone"],
)
def test_a_schedule_without_any_backup_is_overdue_once_its_first_slot_is_over_in_every_zone(
    last_check: timedelta | None, created: timedelta, code: str
) -> None:
    looked = NOW - last_check if last_check else None
    fresh = replace(a_schedule("0 0 4 * * *"), last_check=looked, created=NOW - created)
    assert first(witnesses(schedules=(replace(fresh, **NEVER_FIRED),))) == code


WAITED = (a_backup(), a_backup("next", "pending", created=ago(hours=3)))
LONG_ONE = a_backup("long", created=ago(hours=12), took=timedelta(hours=11, minutes=59))


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (witnesses(backups=WAITED), "queue-stuck"),
        (witnesses(backups=WAITED, queue_moved=NOW - timedelta(minutes=11)), "queue-stuck"),
        (witnesses(backups=WAITED, queue_moved=NOW - timedelta(seconds=20)), ""),
        (witnesses(backups=(*WAITED, LONG_ONE)), ""),
    ],
    ids=["never moved", "moved long ago", "one was deleted just now", "one ended just now"],
)
def test_the_next_in_the_queue_is_not_stuck_because_the_one_before_was(
    seen: Witnesses, code: str
) -> None:
    assert first(seen) == code


def test_a_schedule_whose_backup_was_deleted_just_now_is_not_overdue() -> None:
    late = replace(a_schedule("0 0 */6 * * *"), next_schedule=NOW - timedelta(hours=6))
    freed = witnesses(schedules=(late,), queue_moved=NOW - timedelta(seconds=20))
    assert first(freed) == ""
    assert first(replace(freed, queue_moved=NOW - timedelta(minutes=6))) == "schedule-overdue"


def test_a_backup_that_hangs_for_want_of_archiving_is_told_after_the_cause() -> None:
    running = (a_backup(), a_backup("new", "started", created=ago(minutes=20)))
    codes = [finding.code for finding in judged(failing(backups=running)).findings]
    assert codes == ["archiving-fails", "backup-hangs"]


def test_a_newest_base_backup_whose_wal_is_missing_is_named() -> None:
    codes = {rung.code for rung in broken(witnesses(film=film(missing=(3,))))}
    assert "base-without-wal" in codes


@pytest.mark.parametrize(
    ("method", "created", "code"),
    [
        ("volumeSnapshot", None, "snapshots-alone"),
        ("volumeSnapshot", NOW - timedelta(hours=1), "first-backup-due"),
        ("plugin", None, "nothing-restorable"),
    ],
    ids=["snapshots", "of the cluster before", "none"],
)
def test_base_backups_that_are_volume_snapshots_are_not_called_missing(
    method: str, created: datetime | None, code: str
) -> None:
    taken = replace(a_backup(), method=method)
    cluster = a_cluster() if created is None else replace(a_cluster(), created=created)
    found = judged(witnesses(cluster=cluster, backups=(taken,), film=film(with_base=False)))
    assert found.findings[0].code == code
    if code == "snapshots-alone":
        assert found.level is Level.UNKNOWN
        assert found.headline == "only volume snapshots, newest 02:10:00Z; they are not looked at"


def test_an_old_base_backup_that_outlived_its_wal_is_a_remark() -> None:
    archive = Archive(root="prod").wal(1, range(100, 300))
    left, usable = archive.base(1, 20, 21), archive.base(1, 120, 121)
    now = BEGIN + 300 * MINUTE
    judgement = archive.judge(now)
    seen = Film(archive.listed, judgement, window.of(judgement), now, now, "", frozenset({SYSTEM}))
    asked = replace(instance(299), at=now, current_wal="")
    told = health.judge(witnesses(film=seen, instance=asked, schedules=()), now)
    assert (told.level, told.findings) == (Level.PROTECTED, ())
    said = {rung.title: (rung.code, rung.evidence) for rung in told.ladder}
    assert said["base backups"][0] == "base-without-wal"
    assert said["base backups"][1].startswith(f"base backup {left}: ")
    assert said["WAL whole"][1] == f"WAL is found from base {usable} on; 80 segments lost before it"


def test_a_newest_base_backup_that_lost_its_data_is_named_while_an_older_one_restores() -> None:
    whole = film()
    reach = whole.continuity.reaches[0]
    bare = Reach("20261122T100000", Usable.NO, "data.tar is missing", lacks=("data.tar",))

    def among(*reaches: Reach) -> Witnesses:
        return witnesses(film=replace(whole, continuity=replace(whole.continuity, reaches=reaches)))

    newest, older = judged(among(reach, bare)), among(replace(bare, base="20261101T020000"), reach)
    assert [(each.code, each.level) for each in newest.findings] == [
        ("base-without-data", Level.DEGRADED)
    ]
    assert judged(older).findings == ()
    assert "base-without-data" in remarks(older)


def test_our_own_look_is_no_cause_where_the_sidecar_says_what_fails() -> None:
    denied = "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied."
    why = "cannot list s3://acme-pg/prod/ at https://s3: its certificate has expired"
    seen = failing(EXIT.format(4), film=NotKnown(why))
    assert judged(seen).findings[0].code == "tls"
    logged = failing(EXIT.format(4), sidecar_errors=said_by_barman(denied), film=NotKnown(why))
    assert judged(logged).findings[0].code == "access-denied"


def test_the_secret_that_is_missing_is_named_be_it_the_one_with_the_ca() -> None:
    error = 'while getting secret r2-ca: secrets "r2-ca" not found'
    assert "create Secret r2-ca in" in judged(failing(error)).findings[0].advice


def test_an_account_that_is_not_bound_explains_what_it_may_not_read() -> None:
    text = 'objectstores.barmancloud.cnpg.io "r2" is forbidden: User "system:serviceaccount:prod:x"'
    seen = failing(text, pods=(a_pod(account="x"),))
    assert [each.code for each in judged(seen).findings][:2] == [
        "service-account",
        "store-forbidden",
    ]


def test_archiving_that_fails_says_who_could_not_be_heard_about_it() -> None:
    seen = failing(EXIT.format(4), film=NotKnown("s3 refuses connections"))
    seen = replace(seen, sidecar_errors=NotKnown("pods/log is forbidden"))
    (only,) = judged(seen).findings
    assert only.evidence == (
        f"operator: {EXIT.format(4)}; bucket: s3 refuses connections; "
        "sidecar's log: pods/log is forbidden"
    )


def test_a_text_in_the_log_that_nobody_knows_is_shown_as_it_is() -> None:
    (only,) = judged(failing(sidecar_errors=said_by_barman("something new"))).findings
    assert only.code == "archiving-fails"
    assert only.evidence == f"operator: {EXIT.format(4)}; sidecar at 13:58:00Z: something new"
    lines = said_by_barman("something else", "barman-cloud-backup")
    found = judged(failed_backup("desc = exit status 1", sidecar_errors=lines)).findings[0]
    assert found.code == "backup-failed"
    assert found.evidence.endswith(": desc = exit status 1; sidecar: something else")


def test_a_look_that_failed_before_it_saw_anything_is_not_called_under_way() -> None:
    none = NoWindow("the base backups have not been listed yet", unseen=True)
    unseen = replace(film(whole=None, window=none), trouble="s3 refuses connections")
    (only,) = judged(witnesses(film=unseen)).findings
    assert (only.code, only.level) == ("one-witness", Level.UNKNOWN)
    assert only.advice == "bucket: s3 refuses connections"


def test_a_completed_backup_that_is_not_in_the_bucket_degrades() -> None:
    later = a_backup("later", created=ago(hours=3), backupId="20261122T110000")
    (only,) = judged(witnesses(backups=(a_backup(backupId=BASE), later))).findings
    assert (only.code, only.level) == ("base-absent", Level.DEGRADED)
    assert only.evidence == "later is completed, but base/20261122T110000 is not under pg"


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("it is there", witnesses(backups=(a_backup(backupId=BASE),))),
        ("a later one is there", witnesses(
            backups=(a_backup(created=ago(days=1), backupId="20261121T140000"),))),
        ("no look has ended since", witnesses(
            backups=(a_backup(created=ago(minutes=12), backupId="20261122T134800"),))),
        ("the cluster before had it", witnesses(
            backups=(a_backup(created="2025-11-22T02:00:00Z", backupId="20301122T110000"),))),
    ],
)  # fmt: skip
def test_no_base_backup_is_called_absent_where(what: str, seen: Witnesses) -> None:
    assert judged(seen).findings == ()


def test_a_fence_is_named_with_the_line_that_lifts_it() -> None:
    seen = witnesses(cluster=a_cluster(annotations={"cnpg.io/fencedInstances": '["pg-2"]'}))
    (fence,) = [rung for rung in judged(seen).ladder if rung.code == "fenced"]
    assert fence.command == "kubectl cnpg fencing off pg pg-2 -n prod"
    assert judged(seen).level is Level.PROTECTED


@pytest.mark.parametrize("id_", [BASE, "20261122T110000", "20260230T000000"])
def test_a_failed_backup_whose_data_is_whole_is_called_misreported(id_: str) -> None:
    """Whatever zone the sidecar names its base backups in."""
    failed = a_backup(phase="failed", error="desc = exit status 1")
    seen = film()
    (reach,) = seen.continuity.reaches
    named = replace(seen.continuity, reaches=(replace(reach, base=id_),))
    found = judged(witnesses(backups=(failed,), film=replace(seen, continuity=named)))
    assert found.findings[0].code == "backup-misreported"
    before = replace(failed, reconciliation_started=NOW, reconciliation_terminated=NOW)
    assert first(witnesses(backups=(before,), film=seen)) == "backup-failed"


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("https://s3.example.org:9000", ["aws", "--endpoint-url", "https://s3.example.org:9000"]),
        ("", ["aws"]),
        ("https://s3.example.org/$(reboot)", None),
    ],
)
def test_commands_that_ask_the_store_name_its_endpoint_if_it_has_one(
    endpoint: str, words: list[str] | None
) -> None:
    whole = film()
    odd = Reach("20261101T020000", Usable.NO, "", unreadable=True)
    continuity = replace(whole.continuity, reaches=(odd, *whole.continuity.reaches))
    seen = witnesses(
        film=replace(whole, continuity=continuity), store=a_store(endpointURL=endpoint)
    )
    (command,) = [rung.command for rung in judged(seen).ladder if rung.code == "retention-fails"]
    words = words or [
        "aws",
        "--endpoint-url",
        endpoint,
    ]  # one word for the shell, whatever it holds
    listing = ["s3", "ls", "--recursive", "s3://acme-pg/prod/pg/base/"]
    assert shlex.split(command) == [*words, *listing]


def test_one_backup_info_that_cannot_be_read_stops_retention() -> None:
    whole = film()
    why = "its backup.info cannot be read: it has no status"
    odd = Reach("20261101T020000", Usable.NO, why, unreadable=True)
    reaches = (odd, *whole.continuity.reaches)
    seen = witnesses(film=replace(whole, continuity=replace(whole.continuity, reaches=reaches)))
    (only,) = judged(seen).findings
    assert (only.code, only.level) == ("retention-fails", Level.DEGRADED)
    assert only.evidence == f"base backup 20261101T020000: {why}"


DAY = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("retention", "after", "on", "level", "said"),
    [
        ("30d", 30, None, Level.DEGRADED, "deletes after 30 d, retentionPolicy keeps 30d"),
        ("30d", 90, None, Level.PROTECTED, "deletes after 90 d, retentionPolicy keeps 30d"),
        ("", 90, None, Level.PROTECTED, "deletes after 90 d"),
        ("30d", None, DAY, Level.DEGRADED, "deletes from 01 Dec 00:00:00Z on, retentionPolicy"),
    ],
)
def test_a_lifecycle_rule_that_deletes_what_retention_keeps_is_no_green(
    retention: str, after: int | None, on: datetime | None, level: Level, said: str
) -> None:
    rule = Rule("tidy", True, "prod/", after, None, on)
    harmless = Rule("parts", True, "", None, 7)
    seen = witnesses(
        film=replace(film(), rules=(harmless, rule)), store=a_store(retention=retention)
    )
    found = judged(seen)
    assert found.level is level
    assert said in next(rung.evidence for rung in found.ladder if rung.code == "lifecycle-rule")
    assert "no-retention" not in [rung.code for rung in found.ladder]


def test_a_hibernated_cluster_is_called_that_and_not_idle_or_stuck() -> None:
    asleep = a_cluster(annotations={"cnpg.io/hibernation": "on"})
    quiet = film(newest=NOW - timedelta(hours=3))
    found = judged(witnesses(cluster=asleep, film=quiet, instance=NotKnown("it has no primary")))
    assert found.level is Level.UNKNOWN
    assert found.headline == "hibernated: no WAL landed for 3h, and no instance can be asked"


def test_a_lifecycle_rule_of_another_path_is_nobodys_trouble() -> None:
    rule = Rule("tidy", True, "prod/pg-eu/", 1, None)
    assert judged(witnesses(film=replace(film(), rules=(rule,)))).findings == ()


def test_base_backups_long_past_the_policy_mean_that_retention_does_not_run() -> None:
    short = witnesses(store=a_store(retention="1d"))
    whole = film()
    reach = whole.continuity.reaches[0]
    old = [
        replace(reach, base=f"202611{day:02}T020000", end_time=NOW - timedelta(days=22 - day))
        for day in (1, 2)
    ]
    bases = {each.base: whole.server.bases[reach.base] for each in (*old, reach)}
    many = replace(
        whole,
        continuity=replace(whole.continuity, reaches=(*old, reach)),
        server=replace(whole.server, bases=bases),
    )
    found = judged(replace(short, film=many)).findings
    assert [finding.code for finding in found] == ["retention-idle"]


REMARKS: list[tuple[str, Witnesses]] = [
    ("archiver-flag", a_spec(plugins=[UNSAID])),
    ("checksums", witnesses(store=a_store(env=[]))),
    ("unequal-parts", witnesses(store=a_store(data={"compression": "snappy"}))),
    ("not-on-r2", witnesses(store=a_store(tags={"a": "b"}))),
    ("not-on-r2", witnesses(store=a_store(wal={"encryption": "AES256"}))),
    ("bad-endpoint", witnesses(store=a_store(endpointURL="https://x.example.com/acme-pg"))),
    ("old-environment", witnesses(pods=(a_pod(env=[]),))),
    ("sidecar-not-rolled", witnesses(pods=(a_pod(), a_pod("pg-2", sidecar=False)))),
    ("service-account", witnesses(pods=(a_pod(account="custom"),))),
    ("standby-not-ready", witnesses(pods=(a_pod(), a_pod("pg-2", ready=False)))),
    ("schedule-suspended", witnesses(schedules=(a_schedule(suspend=True),))),
    ("no-retention", witnesses(store=a_store(retention=""))),
    ("hibernated", witnesses(cluster=a_cluster(annotations={"cnpg.io/hibernation": "on"}))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "seen"), REMARKS, ids=[each[0] for each in REMARKS])
def test_what_is_odd_while_everything_lands_is_a_remark_and_no_alarm(
    code: str, seen: Witnesses
) -> None:
    assert code in remarks(seen)
    assert judged(seen).level is Level.PROTECTED


SUSPECTS: list[tuple[str, Witnesses]] = [
    ("bad-endpoint", failing(store=a_store(destinationPath="acme-pg/prod"))),
    ("not-on-r2", failing(store=a_store(historyTags={"a": "b"}))),
    ("service-account", failing(pods=(a_pod(account="custom"),))),
    ("old-environment", failing(pods=(a_pod(env=[]),))),
]


@pytest.mark.parametrize(("code", "seen"), SUSPECTS, ids=[each[0] for each in SUSPECTS])
def test_the_same_is_the_suspect_once_archiving_fails(code: str, seen: Witnesses) -> None:
    assert first(seen) == code


OTHERS = [{"name": "other.example"}]
CALM: list[tuple[str, Witnesses]] = [
    ("a plugin that does something else beside the in-tree store", witnesses(
        cluster=a_cluster(spec={"plugins": OTHERS, "backup": IN_TREE}),
        store=NotKnown("none is named"), backups=(),
        schedules=(a_schedule(method="barmanObjectStore"),))),
    ("a switchover", witnesses(cluster=a_cluster(
        archiving("False", "switchover in progress, refusing archiving"),
        targetPrimary="pg-2", targetPrimaryTimestamp=ago(minutes=14)))),
    ("a backup that runs", witnesses(
        backups=(a_backup(), a_backup("new", "started", created=ago(minutes=20))))),
    ("a backup that was just asked for", witnesses(
        backups=(a_backup(), a_backup("new", "", created=ago(seconds=20))))),
    ("one instance", witnesses(pods=(a_pod(),))),
    ("a sidecar that starts", witnesses(
        pods=(a_pod(), a_pod("pg-2", sidecar={"ready": False, "started": False})))),
    ("an idle database", witnesses(
        film=film(newest=NOW - timedelta(hours=3)), instance=instance(at=NOW - timedelta(hours=3)))),
    ("an out-of-memory kill of last week", witnesses(pods=(a_pod(sidecar={
        "restartCount": 1, "lastState": {"terminated": {
            "reason": "OOMKilled", "finishedAt": ago(days=7)}}}),))),
    ("a WAL disk that was full once", witnesses(pods=(a_pod(postgres=4),))),
]  # fmt: skip


@pytest.mark.parametrize(("what", "seen"), CALM, ids=[each[0] for each in CALM])
def test_no_alarm_is_raised_by(what: str, seen: Witnesses) -> None:
    assert broken(seen) == []
    assert judged(seen).level in (Level.PROTECTED, Level.UNKNOWN)


def test_a_look_of_ours_that_is_denied_breaks_nothing_while_wal_is_archived() -> None:
    denied = NotKnown("cannot list s3://acme-pg/: access denied (secret r2-creds)")
    found = judged(witnesses(film=denied))
    assert (found.level, [rung.code for rung in broken(witnesses(film=denied))]) == (
        Level.UNKNOWN,
        [],
    )


def test_a_secret_that_is_not_there_is_the_sidecars_trouble_too() -> None:
    gone = NotKnown("Secret prod/r2-creds, which the ObjectStore names, does not exist")
    assert first(witnesses(film=gone)) == "secret-missing"


def test_commands_name_the_objects_they_are_about() -> None:
    found = judged(failing(sidecar_errors=said_by_barman("(AccessDenied)")))
    assert "Secret r2-creds" in found.advice
    assert "bucket acme-pg" in found.advice
    assert "kubectl -n prod edit secret r2-creds" in found.advice
    line = '"0 0 2 * * *"'
    cron = judged(witnesses(schedules=(a_schedule("0 2 * * *"),))).advice
    assert "kubectl -n prod patch scheduledbackup nightly --type merge -p '{" in cron
    assert line in cron


def test_a_store_that_refuses_checksums_is_mended_from_the_ladder() -> None:
    errors = said_by_barman("x-amz-content-sha256 must be UNSIGNED")
    refused = failing(sidecar_errors=errors, store=a_store(env=[]))
    (rung,) = [rung for rung in broken(refused) if rung.code == "checksums"]
    assert rung.fix == SetChecksums(Key("prod", "r2"))
    set_by_now = failing(sidecar_errors=errors)
    (rung,) = [rung for rung in broken(set_by_now) if rung.code == "checksums"]
    assert rung.fix is None
    assert "has both checksum variables by now" in rung.remedy


TOKEN = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
REQUEST, RESPONSE = CHECKSUM_VARIABLES


@pytest.mark.parametrize(
    ("env", "after"),
    [
        ([], [REQUEST, RESPONSE]),
        ([TOKEN], ["TOKEN", REQUEST, RESPONSE]),
        ([{"name": RESPONSE, "value": "when_supported"}, TOKEN], [RESPONSE, "TOKEN", REQUEST]),
    ],
    ids=["none", "others", "one that is odd"],
)
def test_the_line_for_kubectl_keeps_every_other_variable(env: list[Any], after: list[str]) -> None:
    (rung,) = [
        rung
        for rung in judged(witnesses(store=a_store(env=env))).ladder
        if rung.code == "checksums"
    ]
    line = shlex.split(rung.command)
    patch = json.loads(line[-1])
    if line[line.index("--type") + 1] == "merge":
        made = patch["spec"]["instanceSidecarConfiguration"]["env"]
    else:
        made = [dict(item) for item in env]
        for step in patch:
            at = step["path"].removeprefix("/spec/instanceSidecarConfiguration/env/")
            match step["op"]:
                case "test":
                    assert made[int(at.removesuffix("/name"))]["name"] == step["value"]
                case "replace":
                    made[int(at)] = step["value"]
                case "add":
                    assert at == "-"
                    made.append(step["value"])
    assert [item["name"] for item in made] == after
    assert all(item["value"] == "when_required" for item in made if "value" in item)


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({"tags": {"a": "b"}, "wal": {"encryption": "AES256"}},
         {("tags",): None, ("wal", "encryption"): None}),
        ({"historyTags": {"a": "b"}}, {("historyTags",): None}),
        ({"data": {"encryption": "AES256"}}, {("data", "encryption"): None}),
        ({"data": {"compression": "snappy"}}, {("data", "compression"): "gzip"}),
    ],
)  # fmt: skip
def test_options_that_r2_refuses_are_taken_out_and_no_other(
    changed: dict[str, Any], options: dict[tuple[str, ...], str | None]
) -> None:
    (rung,) = [rung for rung in judged(witnesses(store=a_store(**changed))).ladder if rung.fix]
    assert rung.fix == SetOptions(Key("prod", "r2"), options)
    assert json.loads(shlex.split(rung.command)[-1]) == rung.fix.fields


def test_a_plugin_that_is_off_and_does_something_else_is_not_made_the_archiver() -> None:
    (rung,) = [
        rung
        for rung in judged(a_spec(plugins=[{"name": "metrics.example", "enabled": False}])).ladder
        if rung.code == "unprotected"
    ]
    assert rung.fix is None
    assert "add the Barman Cloud plugin" in rung.remedy


FIXES: list[tuple[str, Witnesses, type]] = [
    ("unprotected", a_spec(plugins=[{**PLUGIN, "enabled": False}]), SwitchOn),
    ("archiver-flag", a_spec(plugins=[UNSAID]), SwitchOn),
    ("checksums", witnesses(store=a_store(env=[])), SetChecksums),
    ("five-field-cron", witnesses(schedules=(a_schedule("0 2 * * *"),)), ChangeSchedule),
    ("schedule-suspended", witnesses(schedules=(a_schedule(suspend=True),)), ChangeSchedule),
    (
        "schedule-method",
        witnesses(schedules=(a_schedule(method="barmanObjectStore"),)),
        ChangeSchedule,
    ),
    (
        "schedule-without-plugin",
        witnesses(schedules=(a_schedule(pluginConfiguration={"name": ""}),)),
        ChangeSchedule,
    ),
    (
        "queue-stuck",
        witnesses(backups=(a_backup(), a_backup("new", "started", created=ago(hours=12)))),
        DeleteBackup,
    ),
]


@pytest.mark.parametrize(("code", "seen", "kind"), FIXES, ids=[each[0] for each in FIXES])
def test_a_remedy_that_is_a_small_write_can_be_carried_out(
    code: str, seen: Witnesses, kind: type
) -> None:
    (rung,) = [rung for rung in judged(seen).ladder if rung.code == code]
    assert isinstance(rung.fix, kind)


def test_nothing_else_of_a_healthy_ladder_is_written_to() -> None:
    assert [rung.fix for rung in judged(witnesses()).ladder if rung.fix] == []


# -- the Secret with the store's keys ----------------------------------------------------------------

KEYS = {"ACCESS_KEY_ID": "key", "ACCESS_SECRET_KEY": "secret"}
CREDS = Key("prod", "r2-creds")


def kept(**values: str) -> dict[str, Any]:
    """The Secret the ObjectStore names, with these values."""
    data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    return {"secrets": {"r2-creds": secret.read(CREDS, {"data": data})}}


SECRETS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"secrets": {"r2-creds": NO_SUCH_OBJECT}},
        "secret-missing",
        "the ObjectStore names Secret r2-creds; namespace prod has none such",
    ),
    (
        kept(ACCESS_KEY_ID="key", SECRET_KEY="s"),
        "secret-key",
        "has no key ACCESS_SECRET_KEY, which the ObjectStore names; it has ACCESS_KEY_ID, SECRET_KEY",
    ),
    (kept(**{**KEYS, "ACCESS_KEY_ID": " "}), "secret-value", "the value of ACCESS_KEY_ID is empty"),
    (
        kept(**{**KEYS, "ACCESS_SECRET_KEY": "secret\n"}),
        "secret-blank",
        "the value of ACCESS_SECRET_KEY begins or ends with a blank or a newline",
    ),
]


def test_an_empty_value_stands_before_what_barman_says_of_it() -> None:
    lines = said_by_barman("Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY")
    seen = failing(sidecar_errors=lines, **kept(**{**KEYS, "ACCESS_SECRET_KEY": ""}))
    assert [each.code for each in judged(seen).findings][:2] == ["secret-value", "no-credentials"]


@pytest.mark.parametrize(("seen", "code", "evidence"), SECRETS, ids=[each[1] for each in SECRETS])
def test_a_secret_that_is_wrong_is_the_cause_where_archiving_fails(
    seen: dict[str, Any], code: str, evidence: str
) -> None:
    rung = broken(failing(**seen))[0]
    assert (rung.title, rung.code, rung.level) == ("Secret and rights", code, Level.FAILING)
    assert evidence in rung.evidence
    assert first(failing(**seen)) == code
    assert first(witnesses(**seen)) == code, "the sidecar reads it every ten seconds"


def secret_rung(seen: Witnesses) -> tuple[State, str]:
    rung = next(rung for rung in judged(seen).ladder if rung.code == "secret")
    return rung.state, rung.evidence


def test_a_clean_secret_holds() -> None:
    clean = "Secret r2-creds: ACCESS_KEY_ID, ACCESS_SECRET_KEY are there and clean"
    assert secret_rung(failing(**kept(**KEYS))) == (State.HOLDS, clean)


def test_a_secret_that_may_not_be_read_cannot_be_told_where_archiving_fails() -> None:
    forbidden = NotKnown("cannot get secrets in prod: forbidden")
    said = (State.UNKNOWN, f"Secret r2-creds: {forbidden.why}")
    assert secret_rung(failing(secrets={"r2-creds": forbidden})) == said


def test_other_keys_that_open_the_bucket_prove_nothing_about_the_secret() -> None:
    other = replace(film(newest=NOW - timedelta(hours=2)), identity="environment")
    said = "Secret r2-creds was not read; the bucket was opened with environment"
    assert secret_rung(failing(film=other)) == (State.UNKNOWN, said)
    landing = witnesses(film=replace(film(), identity="environment"))
    assert secret_rung(landing) == (State.HOLDS, "Secret r2-creds: WAL is written with its keys")
    own = witnesses(film=replace(film(), identity="secret r2-creds"))
    assert secret_rung(own) == (State.HOLDS, "Secret r2-creds: its keys open the bucket")


# -- the plugin beside the operator -------------------------------------------------------------------

SERVICE = plugin_service.read_service(
    {
        "metadata": {
            "name": "barman-cloud",
            "namespace": "cnpg-system",
            "labels": {"cnpg.io/pluginName": PLUGIN["name"]},
            "annotations": dict.fromkeys(
                ("cnpg.io/pluginClientSecret", "cnpg.io/pluginPort", "cnpg.io/pluginServerSecret"),
                "x",
            ),
        },
        "spec": {"selector": {"app": "barman-cloud"}},
    }
)
READY = PluginSeen(SERVICE, True, (PluginPod("barman-cloud-1", True, ""),), ())
DOWN = replace(READY, pods=(PluginPod("barman-cloud-1", False, "ImagePullBackOff"),))
NO_MOUNT = Happening(
    "Warning", "FailedMount", 'secret "barman-cloud-server-tls" not found', "kubelet", NOW, 9,
    "Pod barman-cloud-1",
)  # fmt: skip
NO_SECRET = Happening("Warning", "ServerSecretNotFound", "secrets not found", "operator", NOW, 1)
IGNORED = a_backup("new", "", created=ago(minutes=6))

BESIDE = [
    (
        PluginSeen(None, True, (), ()),
        "plugin-no-service",
        "no Service in any namespace has the label",
    ),
    (
        replace(READY, service=replace(SERVICE, lacks=("cnpg.io/pluginPort",))),
        "plugin-no-service",
        "cnpg-system/barman-cloud lacks the annotations cnpg.io/pluginPort",
    ),
    (DOWN, "plugin-not-ready", "barman-cloud-1: ImagePullBackOff"),
    (
        replace(DOWN, pod_events=(NO_MOUNT,)),
        "plugin-not-ready",
        'Event FailedMount on Pod barman-cloud-1, 0s ago: secret "barman-cloud-server-tls" not found',
    ),
    (replace(READY, events=(NO_SECRET,)), "plugin-not-registered", "ServerSecretNotFound"),
]


@pytest.mark.parametrize(("plugin", "code", "evidence"), BESIDE)
def test_a_backup_that_is_not_taken_up_is_explained_by_the_plugin(
    plugin: PluginSeen, code: str, evidence: str
) -> None:
    found = witnesses(backups=(a_backup(), IGNORED), plugin=plugin)
    rung = broken(found)[0]
    assert (rung.title, rung.code, rung.level) == ("plugin known", code, Level.DEGRADED)
    assert evidence in rung.evidence


@pytest.mark.parametrize("plugin", [each[0] for each in BESIDE])
def test_where_nothing_points_to_the_plugin_it_raises_no_alarm(plugin: PluginSeen) -> None:
    assert judged(witnesses(plugin=plugin)).level is Level.PROTECTED


def test_a_plugin_that_is_ready_leaves_the_operator_to_be_looked_at() -> None:
    rung = broken(witnesses(backups=(a_backup(), IGNORED), plugin=READY))[0]
    assert rung.code == "not-taken-up"
    assert rung.evidence.endswith("; Service cnpg-system/barman-cloud, 1 of 1 Pods ready")


def test_the_rung_says_that_the_plugin_may_not_be_seen_and_relies_on_the_operator() -> None:
    hidden = witnesses(plugin=NotKnown("services list in cnpg-system is forbidden"))
    rung = judged(hidden).ladder[0]
    assert rung.state is State.HOLDS
    assert rung.evidence == (
        "barman-cloud.cloudnative-pg.io, phase Cluster in healthy state, 1 Backup taken up; "
        "the plugin's Service was not seen: services list in cnpg-system is forbidden"
    )


def test_no_service_in_one_namespace_proves_nothing() -> None:
    elsewhere = witnesses(backups=(a_backup(), IGNORED), plugin=PluginSeen(None, False, (), ()))
    assert first(elsewhere) == "not-taken-up"


# -- a witness that could not be heard ----------------------------------------------------------------

WHY = NotKnown("cannot be told: forbidden, for this test")
UNHEARD = [
    "store",
    "backups",
    "schedules",
    "film",
    "instance",
    "pods",
    "sidecar_errors",
    "wal_volume",
    "secrets",
    "plugin",
    "happenings",
    "rights",
]


@pytest.mark.parametrize("witness", UNHEARD)
def test_a_witness_that_could_not_be_heard_says_why_on_a_rung_or_in_the_evidence(
    witness: str,
) -> None:
    missing = {"r2-creds": WHY} if witness == "secrets" else WHY
    spoilt: dict[str, Any] = {"instance": instance(waiting=64), witness: missing}
    found = judged(replace(failing(), **spoilt))
    said = [rung.evidence for rung in found.ladder] + [item.text for item in found.evidence]
    assert any(WHY.why in text for text in said), said


def test_green_is_never_said_without_the_bucket() -> None:
    assert judged(witnesses(film=WHY)).level is not Level.PROTECTED
