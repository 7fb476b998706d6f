"""Draws each arm less the best-validated fixed weights, with the margin shaded.

python docs/figures/weightings.py demo/weightings weightings.png
python docs/figures/weightings.py runs/emobank-lstm weightings_emobank.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from dser_jax.journal import read_journal
from dser_jax.report.figures import experiment_figures
from dser_jax.stats import tables

view = read_journal(sys.argv[1])
with TemporaryDirectory() as folder:
    experiment_figures(view, tables(view.rows), Path(folder))
    drawn = (Path(folder) / "differences.png").read_bytes()
    Path(__file__).with_name(sys.argv[2]).write_bytes(drawn)
