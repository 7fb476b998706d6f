"""Figures: what they show, from journals that are made up."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from fabricated import NAMES, fabricate, rate_grid, search_row, weight_grid, weight_lines
from matplotlib.figure import Figure

from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report import figures
from dser_jax.report.figures import curves, heat, lines, scatter
from dser_jax.report.figures.parts import draw_parts
from dser_jax.report.figures.searched import published_line
from dser_jax.report.figures.style import told_apart
from dser_jax.report.sections.searches import told
from dser_jax.stats.means import summary
from dser_jax.stats.searched import searches
from dser_jax.stats.subsets import PartScore
from dser_jax.stats.table import tables


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


def test_what_is_not_trained_has_no_curve(tmp_path):
    fabricate(tmp_path / "j", seeds=1, weights={name: [0.0, 1.0, 0.0] for name in NAMES})
    view = read_journal(tmp_path / "j")
    history = curves._history(view, view.rows[0], [])
    assert np.isnan(history).all(0).tolist() == [True, False, True, True]
    assert len(figures.learning_curves(view, tmp_path / "curves")) == 2
    assert len(figures.gold_vs_pred(view, next(iter(NAMES)), tmp_path / "scatter")) == 2


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


@pytest.mark.parametrize(
    ("names", "labels", "common"),
    [
        (["we, none", "glove, none"], ["we, none", "glove, none"], ""),
        (
            ["glove, alpha=0 learning_rate=0.00001", "glove, alpha=1 learning_rate=0.00001"],
            ["alpha=0", "alpha=1"],
            "glove, learning_rate=0.00001",
        ),
        (["a b" * 20, "a b c" * 20], ["a b" * 20, "a b c" * 20], ""),
        (["alone " * 9], ["alone " * 9], ""),
        ([], [], ""),
    ],
)
def test_a_legend_says_once_what_all_names_have(names, labels, common):
    assert told_apart(names) == (labels, common)


@pytest.mark.parametrize(
    ("labels", "guesses", "ends"),
    [
        ([-0.2, 0.6], [0.1, 0.2], (-0.24, 0.64)),
        ([0.0, 0.1], [-0.8, 0.2], (-0.85, 0.25)),
        ([0.5, 0.5], [0.5, 0.5], (0.495, 0.505)),
    ],
)
def test_the_axes_of_a_scatter_span_labels_and_predictions(labels, guesses, ends):
    assert scatter.span(np.array(labels), np.array(guesses)) == pytest.approx(ends)


# Searches

FEW = [0.0, 0.3, 0.4, 0.9]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (weight_grid(2, FEW), ["loss_weights", "loss_weights_surface"]),
        (weight_grid(1, FEW, diverged=[(0.3, 0.4)]), ["loss_weights"]),
        (weight_lines(3, FEW), ["loss_weight_lines"]),
        (weight_lines(1, FEW), ["loss_weight_lines"]),
        (rate_grid(2, FEW), ["dropout_lines", "dropout_grid"]),
        ([], []),
    ],
    ids=["surface", "a hole", "lines", "one seed", "rates", "nothing"],
)
def test_each_kind_of_search_has_its_figures(tmp_path, rows, names):
    drawn = figures.search_figures(rows, tmp_path, "_2")
    found = [path.name for paths in drawn.values() for path in paths]
    assert found == [f"{name}_2{ending}" for name in names for ending in (".pdf", ".png")]
    for name in found:
        assert (tmp_path / name).stat().st_size > 5000
    assert all("picked on validation" in title or "same" in title for title in drawn)


def test_rates_that_span_decades_are_on_a_logarithmic_axis(tmp_path):
    key = np.random.default_rng(0)
    values = [1e-4, 3e-4, 1e-3, 1e-2]
    rows = [search_row({"learning_rate": value}, 0, 0.5, key) for value in values]
    ((search,),) = searches(rows)
    panel = Figure().subplots()
    lines._draw(panel, search, {})
    assert panel.get_xscale() == "log"
    assert [text.get_text() for text in panel.get_xticklabels()] == [f"{v:g}" for v in values]
    (files,) = figures.search_figures(rows, tmp_path).values()
    assert files[0].name == "learning_rate.pdf"


def test_two_searches_of_a_kind_have_files_of_their_own(tmp_path):
    small = weight_grid(1, [0.1, 0.2, 0.3])
    other = weight_grid(1, [0.1, 0.2, 0.3], network="cnn + lstm")
    drawn = figures.search_figures([*small, *other], tmp_path)
    assert len(drawn) == 4
    assert (tmp_path / "loss_weights-2.png").exists()
    assert (tmp_path / "loss_weights_surface-2.png").exists()


def test_everything_diverged_is_drawn_as_crosses(tmp_path):
    values = [0.1, 0.2, 0.3]
    rows = weight_grid(1, values, diverged=[(one, two) for one in values for two in values])
    (title,) = figures.search_figures(rows, tmp_path)
    assert "nothing to pick: no run has a score on validation" in title


def test_the_pick_and_its_test_score_are_told():
    ((search,),) = searches(weight_grid(3, FEW))
    pick = search.pick
    said = told(search)
    assert said.startswith(f"α {pick.at[0]:g}, β {pick.at[1]:g}, γ ")
    assert f"({pick.validation.mean:.3f})".replace("0.", ".") in said
    assert f"{pick.test.mean:.3f} [".replace("0.", ".") in said
    assert said.endswith("on test, 3 seeds")
    ((search,),) = searches(weight_grid(1, FEW))
    assert told(search).endswith("on test, 1 seed: no interval")
    ((search,),) = searches([row | {"test": {}} for row in weight_grid(1, FEW)])
    assert told(search).endswith("; not tested")


def test_a_matrix_has_the_second_axis_upwards_and_holes():
    rows = weight_grid(1, [0.1, 0.2, 0.4], level=lambda one, two: one + two / 10, noise=0)
    rows = [row for row in rows if row["hparams"]["loss_weights"][:2] != [0.4, 0.1]]
    ((search,),) = searches(rows + weight_grid(1, [0.0, 0.3], level=lambda *_: 0.0, noise=0))
    found = heat._matrix(search, "validation")
    assert found.shape == (5, 5)
    assert found[1, 2] == pytest.approx(0.21)
    assert found[2, 1] == pytest.approx(0.12)
    assert np.isnan(found[1, 4])


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([0.1, 0.4, 0.5, 0.6], (0.225, 0.6)),  # .6 - 2.5 * (.6 - .45)
        ([0.4, 0.5, 0.6], (0.4, 0.6)),
        ([-0.5, 0.5, np.nan, 0.5], (-0.5, 0.5)),
        ([0.5, 0.5], (0.49, 0.51)),
        ([np.nan], (0.0, 1.0)),
    ],
)
def test_a_few_bad_scores_do_not_take_up_the_colours(values, want):
    assert heat.colour_range(np.array(values)) == pytest.approx(want)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.507, 2, ".51"),
        (-0.012, 2, "-.01"),
        (-0.001, 2, ".00"),
        (0.0237, 3, ".024"),
        (1, 2, "1.00"),
    ],
)
def test_scores_in_cells_are_short_and_zero_has_no_sign(value, decimals, text):
    assert heat.in_cell(value, decimals) == text


GRID = {0.4: 0.4, 0.5: 0.4787, 0.7: 0.4909, 0.9: 0.472}
"""Published means at acoustic rate .1, by text rate."""


def test_published_scores_are_shown_for_the_papers_corpus_alone():
    rows = weight_lines(1, FEW, corpus="iemocap", paper={"table": "fig5", "row": {}})
    ((alpha, _, gamma),) = searches(rows)
    assert published_line(alpha)[0.3] == pytest.approx(0.4401)
    assert len(published_line(gamma)) == 11
    rows = rate_grid(1, [*FEW, 0.1], corpus="iemocap", paper={"table": "fig6_dropout_grid"})
    (acoustic, text), _ = searches(rows)
    assert (acoustic.held[1], text.held[1]) == (0.3, 0.1)
    assert published_line(acoustic)[0.1] == pytest.approx(0.5134)  # Of the line,
    assert published_line(text)[0.4] == pytest.approx(0.4)  # and of the grid.
    rows = rate_grid(
        1, [0.4, 0.5, 0.7, 0.9], corpus="iemocap", paper={"table": "fig6_dropout_grid"}
    )
    (acoustic, _), _ = searches(rows)
    assert published_line(acoustic)[0.1] == pytest.approx(GRID[acoustic.held[1]])
    for rows in (weight_lines(1, FEW, corpus="iemocap"), weight_lines(1, FEW)):
        assert published_line(searches(rows)[0][0]) == {}


def test_published_scores_have_a_line_of_ours_beside_them(tmp_path):
    paper = {"table": "fig5", "row": {}}
    plain = figures.search_figures(weight_lines(1, FEW), tmp_path / "plain")
    beside = figures.search_figures(
        weight_lines(1, FEW, corpus="iemocap", paper=paper), tmp_path / "beside"
    )
    sizes = [next(iter(drawn.values()))[1].stat().st_size for drawn in (plain, beside)]
    assert sizes[1] > sizes[0]


# Parts of the test set


def part(name, part, utterances, level, columns=("valence", "arousal", "mean")):
    scores = {column: summary([level, level + 0.02, level - 0.01]) for column in columns}
    return PartScore(name, part, utterances, scores if utterances >= 20 else {}, {})


@pytest.mark.parametrize("speakers", [2, 30])
def test_parts_are_drawn_with_few_speakers_or_many(tmp_path, speakers):
    scores = [
        part(name, at, 100, level)
        for name, level in (("a", 0.4), ("b", 0.5))
        for at in ("all", "improvised turns", "scripted turns", "speaker seen")
    ]
    scores += [part("a", f"speaker {n}", 10 * n, 0.4) for n in range(speakers)]
    files = draw_parts(scores, tmp_path / "parts")
    assert [file.name for file in files] == ["parts.pdf", "parts.png"]


def test_without_parts_nothing_is_drawn(tmp_path):
    assert draw_parts([], tmp_path / "parts") == []
    assert (
        draw_parts([part("a", "all", 100, 0.4), part("a", "women", 9, 0.4)], tmp_path / "p") == []
    )
    fabricate(tmp_path / "j", seeds=1)
    view = read_journal(tmp_path / "j")
    (table,) = tables(view.rows)
    assert figures.part_figure(view, table, tmp_path / "parts") == []
    (tmp_path / "j/truth/k.npz").unlink()
    assert figures.part_figure(view, table, tmp_path / "parts") == []


def test_speakers_of_a_journal_are_parts(tmp_path):
    fabricate(tmp_path / "j", seeds=2)
    speakers = np.array(["s1F"] * 50 + ["s1M"] * 50)
    np.savez(tmp_path / "j/truth/k.marks.npz", test_speaker=speakers)
    view = read_journal(tmp_path / "j")
    (table,) = tables(view.rows)
    assert len(figures.part_figure(view, table, tmp_path / "parts")) == 2
