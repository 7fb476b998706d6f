"""Lanes on each GPU or host of a Ray cluster: `crew.py` drives, `worker.py` runs in each."""
