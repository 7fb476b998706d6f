"""Rows made of the predictions of finished runs: stretched, the mean of the seeds, both.

A network whose predictions are stretched has what baselines have; the mean of its seeds costs
nothing once they are trained. Nothing of it is in the journal's rows: it is made from the
arrays when a report is, and its scores are kept in `bootstrap.json`.

Open `making.py` first (which rows there are, and their predictions), then `view.py` (a journal with
them) and `stretching.py` (the map).
"""
