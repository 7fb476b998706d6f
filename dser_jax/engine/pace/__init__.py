"""What is decided before anything trains: how many lanes, and in which order of steps.

Open `setting.py` first. On an accelerator a measurement may decide (`doubling.py`, `ordering.py`),
of what `rates.py` compiles, times and remembers.
"""
