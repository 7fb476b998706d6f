"""Several arms on the same seeds: which are equivalent, and how many seeds would tell.

Open `tost.py` first. `power.py` says beforehand how many seeds a margin needs. As in `means.py`,
every number is about the seeds of one split.
"""
