"""Draws `beyond.png`: what `make demo` gives from the paper's network to the best, a dot a run.

python docs/figures/beyond.py demo/beyond
"""

from __future__ import annotations

import sys
from pathlib import Path

from dser_jax.journal import read_journal
from dser_jax.report.figures import result_figure
from dser_jax.stats import tables

(table,) = tables(read_journal(sys.argv[1]).rows)
result_figure(table, Path(__file__).with_suffix(""), (".png",))
