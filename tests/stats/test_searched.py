"""Searches found in rows, and what they pick."""

import numpy as np
import pytest
from fabricated import WEIGHTS_01, rate_grid, search_row, surface, weight_grid, weight_lines

from dser_jax.stats.means import summary
from dser_jax.stats.searched import searches


def test_a_grid_over_alpha_and_beta_is_one_search():
    ((search,),) = searches(weight_grid(3))
    assert (search.kind, search.axes, search.seeds) == ("weights", ("alpha", "beta"), 3)
    assert search.what == "lstm + lstm, paa_hsf + glove"
    assert len(search.points) == 121
    assert search.values(0) == search.values(1) == WEIGHTS_01
    assert all(point.test.n == 3 for point in search.points)


def test_points_of_negative_gamma_are_there_and_never_picked():
    ((search,),) = searches(weight_grid(1, level=lambda alpha, beta: alpha + beta, noise=0))
    forbidden = {point.at for point in search.points if not point.allowed}
    assert len(forbidden) == 55
    assert (0.5, 0.5) not in forbidden
    assert (0.3, 0.7) not in forbidden  # 1 - .3 - .7 is below 0 in floating point.
    best = max(search.points, key=lambda point: point.validation.mean)
    assert best.at == (1.0, 1.0)
    assert search.pick.at == (0.0, 1.0)


def test_the_pick_is_made_on_validation_and_its_test_score_is_its_own():
    key = np.random.default_rng(0)
    rows = []
    for seed in range(3):
        for alpha in (0.1, 0.2, 0.3):
            for beta in (0.1, 0.2, 0.3):
                row = search_row(
                    {"loss_weights": [alpha, beta, round(1 - alpha - beta, 10)]}, seed, 0.5, key
                )
                lucky = (alpha, beta) == (0.3, 0.1)
                row["validation"]["ccc"]["mean"] = alpha + beta + 0.01 * seed
                row["test"]["ccc"]["mean"] = 0.9 if lucky else 0.4 + 0.01 * seed
                rows.append(row)
    ((search,),) = searches(rows)
    assert search.pick.at == (0.3, 0.3)
    assert search.pick.validation == summary([0.6, 0.61, 0.62])
    assert search.pick.test == summary([0.4 + 0.01 * seed for seed in range(3)])


def test_the_pick_is_by_the_mean_over_seeds_not_by_the_best_run():
    rows = weight_grid(2, noise=0, level=surface)
    at = [row for row in rows if row["hparams"]["loss_weights"][:2] == [0.1, 0.1]]
    at[0]["validation"]["ccc"]["mean"] = 0.62
    ((search,),) = searches(rows)
    assert search.pick.at != (0.1, 0.1)


def test_diverged_runs_are_in_no_mean():
    rows = weight_grid(1, diverged=[(0.4, 0.3)]) + weight_grid(3, diverged=[(0.5, 0.2)])[121:]
    ((search,),) = searches(rows)
    points = {point.at: point for point in search.points}
    assert (points[0.4, 0.3].lost, points[0.4, 0.3].test.n) == (1, 2)
    assert (points[0.5, 0.2].lost, points[0.5, 0.2].test.n) == (2, 1)
    ((alone,),) = searches(weight_grid(1, level=lambda *_: 0.5, diverged=[(0.0, 0.0)]))
    assert alone.points[0].scores == {}
    assert alone.pick.at != (0.0, 0.0)


def test_pruned_and_failed_runs_are_in_no_mean():
    rows = weight_grid(3)
    at = [row for row in rows if row["hparams"]["loss_weights"][:2] == [0.4, 0.3]]
    at[0]["status"], at[1]["status"] = "pruned", "failed"
    ((search,),) = searches(rows)
    (point,) = [point for point in search.points if point.at == (0.4, 0.3)]
    assert (point.lost, point.test.n) == (2, 1)


def test_where_all_diverged_nothing_is_picked():
    everywhere = [(alpha, beta) for alpha in WEIGHTS_01 for beta in WEIGHTS_01]
    ((search,),) = searches(weight_grid(1, diverged=everywhere))
    assert search.pick is None
    assert search.seeds == 0


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.5], []])
def test_a_few_points_are_no_surface(values):
    assert searches(weight_grid(2, values)) == []


def test_other_networks_are_other_searches():
    rows = weight_grid(1) + weight_grid(1, network="cnn + lstm")
    found = searches(rows)
    assert [each.what.split(",")[0] for (each,) in found] == ["lstm + lstm", "cnn + lstm"]
    wide = weight_grid(1, config={"units": 256})
    assert len(searches(weight_grid(1) + wide)) == 2


def test_three_lines_share_the_point_where_all_weights_are_one():
    (found,) = searches(weight_lines(2))
    assert [search.axes for search in found] == [("alpha",), ("beta",), ("gamma",)]
    assert {search.kind for search in found} == {"weight"}
    for search in found:
        assert search.values(0) == WEIGHTS_01
    assert found[0].points[-1] == found[1].points[-1] == found[2].points[-1]


def test_a_grid_of_rates_has_the_two_lines_of_the_paper():
    lines, (grid,) = searches(rate_grid(2))
    assert (grid.kind, len(grid.points)) == ("rates", 100)
    acoustic, text = lines
    assert (acoustic.axes, acoustic.held) == (("acoustic_dropout",), ("text_dropout", 0.3))
    assert (text.axes, text.held) == (("text_dropout",), ("acoustic_dropout", 0.1))
    points = {point.at: point for point in grid.points}
    for point in acoustic.points:
        assert point.scores == points[point.at[0], 0.3].scores
    for point in text.points:
        assert point.scores == points[0.1, point.at[0]].scores


def test_a_grid_without_the_papers_rates_is_cut_at_its_pick():
    lines, (grid,) = searches(rate_grid(1, [0.0, 0.25, 0.5, 0.75], noise=0))
    assert grid.pick.at == (0.25, 0.5)
    assert [search.held[1] for search in lines] == [0.5, 0.25]


def test_two_lines_that_cross_are_no_grid():
    rows = [
        row
        for row in rate_grid(1)
        if row["hparams"]["acoustic_dropout"] == 0.3 or row["hparams"]["text_dropout"] == 0.2
    ]
    (lines,) = searches(rows)
    assert [search.held for search in lines] == [("text_dropout", 0.2), ("acoustic_dropout", 0.3)]
    assert [len(search.points) for search in lines] == [10, 10]


def test_any_other_setting_alone_is_a_line():
    key = np.random.default_rng(0)
    rates = [1e-4, 3e-4, 1e-3, 3e-3]
    rows = [search_row({"learning_rate": rate}, 0, 0.5, key) for rate in rates]
    ((search,),) = searches(rows)
    assert (search.kind, search.values(0)) == ("learning_rate", rates)
    assert searches(rows[:3]) == []


def test_rows_without_settings_are_no_search():
    baseline = {"name": "ridge", "kind": "baseline", "run": "a", "seed": 0}
    assert searches([baseline]) == []
    assert searches([]) == []
    ((search,),) = searches([baseline, *weight_grid(1)])
    assert len(search.points) == 121


def test_the_published_figure_that_rows_answer_to_is_known():
    paper = {"table": "fig4", "row": {"alpha": 0.1, "beta": 0.1}}
    ((search,),) = searches(weight_grid(1, paper=paper))
    assert search.papers == {"fig4"}
    ((search,),) = searches(weight_grid(1))
    assert search.papers == set()
