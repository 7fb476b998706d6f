"""Several arms on the same seeds: which differ, which are equivalent, how many seeds would tell.

Open `tost.py` first. `ranks.py` compares all arms at once. `power.py` says beforehand how many
seeds a margin needs. Higher scores are better. As in `means.py`, every number is about the seeds of
one split.
"""
