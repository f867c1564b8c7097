"""What lies in the bucket: segments, base backups, histories, and what they are worth together.

Pure: values in, values out. No clock (``now`` is an argument), no network, no Textual. A listing page
is a sequence of plain tuples (:mod:`~tui.barman.listing`); it is folded here once into a catalog whose
unit is the WAL directory, never the object: a million segments are a few thousand small values.

::

    compression   suffixes, and the small files behind them opened
    wal           names: segments, partials, backup labels, histories; LSN arithmetic
    listing       what a listing page says of one object
    s3            what else a store answers: folders, uploads under way, rules
    directory     one ``wals/<timeline><log>/``: which segments, how large, from when
    catalog       listing pages -> servers, base backups, directories
    info          backup.info
    history       timeline histories: who descends from whom, from which LSN on
    timelines     runs and holes of every timeline
    path          the WAL a recovery replays, and the words for what is there and what is not
    continuity    is the film whole, from each base backup to the newest segment
    retention     the policy -> what is kept and why, what goes, when the next goes

Two rules hold throughout. A name that is not exactly what PostgreSQL and Barman write is counted as
unknown, never guessed at. What has not been listed or read yet is *unseen*, which is neither found
nor lost.

Formats: PostgreSQL ``access/xlog_internal.h``, ``access/transam/timeline.c``; Barman 3.19
``cloud.py``, ``infofile.py``, ``retention_policies.py``, ``clients/cloud_backup_delete.py``.
"""
