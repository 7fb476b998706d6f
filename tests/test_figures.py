"""Figures: what they show, from journals that are made up."""

from __future__ import annotations

import numpy as np
import scipy.stats
from fabricated import fabricate

from dser_jax import figures
from dser_jax.figures import curves
from dser_jax.journal import Journal, read_journal


def test_ragged_histories_are_averaged_over_the_runs_still_going():
    histories = [np.array([0.1, 0.2]), np.array([0.3, 0.4, 0.5, 0.9]), np.array([0.2, 0.3, 0.7])]
    means, lows, highs = curves._over_seeds(histories)
    np.testing.assert_allclose(means, [0.2, 0.3, 0.6, np.nan])
    reach = scipy.stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    np.testing.assert_allclose(lows, [0.2 - reach, 0.3 - reach, np.nan, np.nan])
    np.testing.assert_allclose(highs, [0.2 + reach, 0.3 + reach, np.nan, np.nan])
    alone, low, _ = curves._over_seeds([np.array([0.1, 0.2])])
    assert alone.tolist() == [0.1, 0.2]
    assert np.isnan(low).all()


def test_more_names_than_can_be_told_apart_are_grey():
    lines = {f"{at}": [(np.full((3, 4), at / 50), 1)] for at in range(20)}
    grey = curves._beyond_telling_apart(lines)
    assert grey == [f"{at}" for at in range(20 - len(curves.COLOURS))]
    assert curves._beyond_telling_apart(dict(list(lines.items())[:14])) == []


def test_histories_are_cut_where_the_run_ended(tmp_path):
    row = {"run": "a", "name": "n", "seed": 0, "status": "ok", "epochs": 2, "best_epoch": 1}
    padded = np.full((5, 3), np.nan)
    padded[:2] = [[0.1, 0.2, np.nan], [0.3, 0.4, np.nan]]
    with Journal.open(tmp_path / "j", {}) as journal:
        journal.commit(row, {"validation_ccc": padded})
    view = read_journal(tmp_path / "j")
    history = curves._history(view, view.rows[0], [])
    np.testing.assert_allclose(history, [[0.1, 0.2, np.nan, 0.15], [0.3, 0.4, np.nan, 0.35]])
    assert len(figures.learning_curves(view, tmp_path / "curves")) == 2
    assert figures.gold_vs_pred(view, "n", tmp_path / "scatter") == []
    assert figures.gold_vs_pred(view, "nobody", tmp_path / "scatter") == []


def test_figures_do_not_depend_on_the_users_settings(tmp_path):
    import matplotlib as mpl

    fabricate(tmp_path / "j", seeds=1)
    view = read_journal(tmp_path / "j")
    figures.learning_curves(view, tmp_path / "a")
    with mpl.rc_context({"axes.facecolor": "black", "savefig.format": "svg"}):
        figures.learning_curves(view, tmp_path / "b")
        assert mpl.rcParams["axes.facecolor"] == "black"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
