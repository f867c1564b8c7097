"""Judgement over both witnesses: what the operator says and what lies in the bucket.

Pure: values in, values out, ``now`` included. A verdict never says more than its witnesses do; what
has not been looked at lowers certainty and is named. Absence has a reason (``NoWindow(why)``).
"""
