"""What the rules look at: the witnesses, with what several rules would work out again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui.cnpg import backup
from tui.cnpg.backup import Backup
from tui.cnpg.cluster import LAST_BACKUP_SUCCEEDED
from tui.cnpg.instance import InstanceStatus
from tui.cnpg.location import Location, NoLocation
from tui.cnpg.location import of as location_of
from tui.cnpg.pod import Pod
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.store import Configuration, ObjectStore
from tui.verdict import archiving, queue
from tui.verdict.level import Level
from tui.verdict.witnesses import Film, NotKnown, Witnesses

LOGGED_LATELY = timedelta(minutes=30)
"""A line of a log older than this says nothing about what fails now."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text of an error, and where it was found: it is matched against what is known of texts."""

    source: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One cluster under triage. What could not be heard is None here; its reason is in ``seen``."""

    seen: Witnesses
    now: datetime
    fails: bool
    """Whether WAL archiving fails now, by the operator's or the instance's word."""
    where: Location | NoLocation
    failed: Backup | None
    """The newest Backup that is done, if it failed."""

    @property
    def store(self) -> ObjectStore | None:
        """The ObjectStore the plugin names."""
        return None if isinstance(self.seen.store, NotKnown) else self.seen.store

    @property
    def configuration(self) -> Configuration | None:
        """The ObjectStore's configuration, or the in-tree one."""
        return self.store.configuration if self.store else self.seen.cluster.in_tree_store

    @property
    def film(self) -> Film | None:
        """The bucket's word."""
        return None if isinstance(self.seen.film, NotKnown) else self.seen.film

    @property
    def instance(self) -> InstanceStatus | None:
        """The primary's word."""
        return None if isinstance(self.seen.instance, NotKnown) else self.seen.instance

    @property
    def pods(self) -> tuple[Pod, ...]:
        """The Pods, none where they are not known."""
        return () if isinstance(self.seen.pods, NotKnown) else self.seen.pods

    @property
    def primary(self) -> Pod | None:
        """The primary's Pod."""
        name = self.seen.cluster.primary
        return next((one for one in self.pods if one.key.name == name), None)

    @property
    def backups(self) -> tuple[Backup, ...]:
        """The Backups, none where they are not known."""
        return () if isinstance(self.seen.backups, NotKnown) else self.seen.backups

    @property
    def freed(self) -> datetime | None:
        """When a Backup last left the queue, as far as it is known."""
        return queue.freed(self.backups, self.seen.queue_moved)

    @property
    def schedules(self) -> tuple[ScheduledBackup, ...]:
        """The ScheduledBackups, none where they are not known."""
        return () if isinstance(self.seen.schedules, NotKnown) else self.seen.schedules

    @property
    def grave(self) -> Level:
        """The level of what stops WAL from being archived: failing where it fails already."""
        return Level.FAILING if self.fails else Level.DEGRADED

    @property
    def suspect(self) -> Level:
        """The level of what may be the cause: only a remark while WAL is archived all the same."""
        return Level.FAILING if self.fails else Level.PROTECTED

    @property
    def is_r2(self) -> bool:
        """Whether the store is Cloudflare R2."""
        return isinstance(self.where, Location) and self.where.place.is_r2

    @property
    def names(self) -> Mapping[str, str]:
        """What remedies and commands call things: namespace, cluster, primary, store, secret ..."""
        cluster, config = self.seen.cluster, self.configuration
        keys = config.s3_credentials if config else None
        reference = keys.access_key_id if keys else None
        place = self.where.place if isinstance(self.where, Location) else None
        return {
            "ns": cluster.key.namespace,
            "cluster": cluster.key.name,
            "primary": cluster.primary or f"{cluster.key.name}-1",
            "store": cluster.store.name if cluster.store else "OBJECTSTORE",
            "secret": reference.secret if reference else "SECRET",
            "bucket": place.bucket if place else "BUCKET",
            "endpoint": place.endpoint_url if place and place.endpoint_url else "AWS",
            "server": cluster.server_name,
            "backup": self.failed.key.name if self.failed else "BACKUP",
            "bases": f"{place}/{cluster.server_name}/base/",
        }

    def command(self, form: str, **named: str) -> str:
        """A command with its :attr:`names` filled in, to be pasted into a shell: each stays one word."""
        names = {name: shlex.quote(value) for name, value in {**self.names, **named}.items()}
        place = self.where.place if isinstance(self.where, Location) else None
        endpoint = place.endpoint_url if place else ""
        aws = f"aws --endpoint-url {shlex.quote(endpoint)}" if endpoint else "aws"
        return form.format_map({**names, "aws": aws})

    def texts(self) -> Iterator[Said]:
        """Every text that tells of something failing now, the most exact first."""
        yield from self._logged()
        cluster, condition = self.seen.cluster, self.seen.cluster.archiving
        if condition is not None and not condition.holds and self.fails:
            yield Said("operator", condition.message, condition.since)
        if self.failed is not None:
            yield Said(f"Backup {self.failed.key.name}", self.failed.error, self.failed.stopped)
            yield Said(f"Backup {self.failed.key.name}", self.failed.command_error)
            last = cluster.condition(LAST_BACKUP_SUCCEEDED)
            if last is not None and cluster.says_last_backup_failed:
                yield Said("operator", last.message, last.since)
        yield Said("operator", f"{cluster.phase}: {cluster.phase_reason}")
        film = self.seen.film
        yield Said("bucket", film.why if isinstance(film, NotKnown) else film.trouble)

    def _logged(self) -> Iterator[Said]:
        """Errors of the tool that fails: lines of one that works again are old news."""
        lines = self.seen.sidecar_errors
        for line in () if isinstance(lines, NotKnown) else reversed(lines):
            if line.logger.startswith("barman-cloud-backup"):
                matters = self.failed is not None
            else:
                old = line.at is not None and self.now - line.at > LOGGED_LATELY
                matters = self.fails and not old
            if matters:
                yield Said("sidecar", line.text, line.at)


def of(seen: Witnesses, now: datetime) -> Case:
    """Everything the rules look at."""
    store = None if isinstance(seen.store, NotKnown) else seen.store
    return Case(
        seen=seen,
        now=now,
        fails=archiving.fails(seen),
        where=location_of(seen.cluster, store),
        failed=_failed(seen),
    )


def _failed(seen: Witnesses) -> Backup | None:
    if isinstance(seen.backups, NotKnown):
        return None
    done = [one for one in seen.backups if one.is_done and one.created is not None]
    newest = max(done, key=lambda one: (one.created, one.key.name), default=None)
    return newest if newest is not None and newest.phase == backup.FAILED else None
