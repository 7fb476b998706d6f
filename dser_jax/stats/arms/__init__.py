"""Several arms on the same seeds: which differ, which are equivalent, how many seeds would tell.

Open `verdicts.py` first: it holds each arm against one reference, with the tests of `paired.py` and
`tost.py` and the effect sizes of `effects.py`. `ranks.py` compares all arms at once. `power.py`
says beforehand how many seeds a margin needs. Higher scores are better. As in `means.py`, every
number is about the seeds of one split.
"""
