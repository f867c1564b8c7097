"""Triage: a ladder from the configuration to the objects in the bucket, and what breaks on the way.

One small function a rule, one file a family; each names the entries of the failure catalogue it
answers to (``F01`` ... ``F43``). A rule says nothing where it finds nothing. ``unseen`` holds the
entries that no client can see, with the reason.
"""
