"""What the operator's objects mean: Cluster, Backup, ScheduledBackup, ObjectStore, and its cron dialect.

Pure: values in, values out. No clock (``now`` is an argument), no network, no Textual. A manifest is
read here once, at the gateway's door, into small frozen values; nothing further in knows JSON.
"""
