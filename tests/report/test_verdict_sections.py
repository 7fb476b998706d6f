"""Arms held against one reference: what a report says of them, and how it draws them."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import scipy.stats
from matplotlib.figure import Figure

from dser_jax.report import (
    conclusion,
    difference_figure,
    plan_sentence,
    rank_figure,
    verdict_section,
)
from dser_jax.report.figures import arms, ranks, style
from dser_jax.stats import friedman, verdicts

REFERENCE = "fixed"


def around(mean: float, deviation: float, seeds: int = 20) -> np.ndarray:
    """Returns differences of exactly this mean and deviation."""
    values = scipy.stats.norm.ppf((np.arange(seeds) + 0.5) / seeds)
    return mean + deviation * values / values.std(ddof=1)


ARMS = {
    "ahead": around(0.04, 0.02),
    "slightly ahead": around(0.006, 0.005),
    "level": around(0.001, 0.01),
    "same": np.zeros(20),
    "noisy": around(-0.01, 0.08),
    "behind": around(-0.05, 0.03),
    "gone": np.full(20, math.nan),
}


def test_the_conclusion_counts_each_verdict_and_says_what_is_open():
    said = conclusion(verdicts(ARMS, 0.02), REFERENCE)
    assert said.startswith(
        "Of 7 arms held against 'fixed', over 20 seeds, with a margin of ±.020: 1 is better "
        "('ahead'); 1 is worse ('behind'); 3 are equivalent ('slightly ahead', 'level' and "
        "'same'); 2 are undecided ('noisy' and 'gone'). 'slightly ahead' is better, but by less "
        "than the margin. For the undecided, a difference larger than the margin cannot be "
        "excluded."
    )
    # (1.645 + 1.28)^2 (.08 / .02)^2 is 137, and more for seven arms.
    assert said.endswith("Runs diverged of 'gone', or beside them; their seeds are left out.")
    assert 137 < int(re.search(r"none at all, (\d+) seeds", said)[1]) < 300


def test_the_conclusion_says_where_no_arm_is_better():
    said = conclusion(verdicts({"level": ARMS["level"]}, 0.02), REFERENCE)
    assert said == (
        "Of 1 arm held against 'fixed', over 20 seeds, with a margin of ±.020: 1 is equivalent "
        "('level'). No arm is shown to be better."
    )
    found = verdicts({"slightly ahead": ARMS["slightly ahead"]}, 0.02)
    assert conclusion(found, REFERENCE).endswith(
        "'slightly ahead' is better, but by less than the margin. No other arm is shown to be "
        "better."
    )
    assert conclusion((), REFERENCE) == "Nothing is held against 'fixed'."


def test_the_conclusion_asks_for_no_fewer_seeds_than_there_were():
    said = conclusion(verdicts({"a": around(0.0, 0.05, 10)}, 0.02), REFERENCE)
    assert re.search(r"Where there is none at all, \d+ seeds would show it", said)
    # Of an arm that is off, its spread says nothing of how many seeds it would take.
    said = conclusion(verdicts({"a": around(0.0195, 0.046, 20)}, 0.033), REFERENCE)
    assert said.endswith("cannot be excluded.")


def test_long_lists_are_counted():
    found = verdicts({f"arm {n}": around(0.001 * n, 0.005) for n in range(10)}, 0.02)
    assert "'arm 9', 'arm 8', 'arm 7', 'arm 6', 'arm 5' and 5 more" in conclusion(found, REFERENCE)


def test_the_plan_says_whether_the_seeds_are_enough():
    said = plan_sentence(0.02, 0.02, 15, 20)
    assert said == (
        "To show that an arm is within ±.020 of the reference takes 20 seeds, if the differences "
        "have a deviation of .020, four times in five, among 15 arms; there are 20."
    )
    assert plan_sentence(0.02, 0.02, 15, 19).endswith(
        "there are only 19, so arms that do not differ may stay undecided."
    )


def test_the_section_has_a_line_an_arm():
    found = verdicts(ARMS, 0.02)
    section = verdict_section(found, REFERENCE, "mean CCC")
    assert [line[0] for line in section.lines] == [each.arm for each in found]
    assert {len(line) for line in section.lines} == {len(section.header)}
    lines = {line[0]: line for line in section.lines}
    assert lines["slightly ahead"][1] == "equivalent,\nbetter"
    assert lines["gone"][1:] == ("undecided", "–", "–", "–", "–", "0")
    assert lines["same"][2:4] == ("+.000", "–")
    assert section.told == (conclusion(found, REFERENCE),)
    assert section.after[1:] == (
        "'same': no test: the scores are equal.",
        "'gone': no seed in common.",
        "'gone': 20 diverged.",
    )


# Figures


def drawn(monkeypatch) -> list[Figure]:
    """Returns the figures that are saved from here on."""
    found: list[Figure] = []
    for module in (arms, ranks):
        keep = module.save
        monkeypatch.setattr(module, "save", lambda f, *more, k=keep: found.append(f) or k(f, *more))
    return found


def test_differences_are_drawn_with_the_margin(tmp_path, monkeypatch):
    figures = drawn(monkeypatch)
    found = verdicts(ARMS, 0.02)
    files = difference_figure(found, tmp_path / "arms", reference=REFERENCE)
    assert [file.name for file in files] == ["arms.pdf", "arms.png"]
    panel = figures[0].axes[0]
    names = [text.get_text() for text in panel.get_yticklabels()]
    assert names == [each.arm for each in found if each.arm != "gone"]
    (shade,) = panel.patches
    ends = shade.get_window_extent().transformed(panel.transData.inverted())
    assert (ends.x0, ends.x1) == pytest.approx((-0.02, 0.02))
    assert panel.get_xlabel() == "mean CCC, minus that of fixed"
    bars = {tuple(line.get_xdata()) for line in panel.lines if len(line.get_xdata()) == 2}
    for each in found:
        if not each.test.note:
            assert {
                (each.test.low, each.test.high),
                (each.equivalence.low, each.equivalence.high),
            } < bars
    (legend,) = figures[0].legends
    told = [text.get_text() for text in legend.get_texts()]
    assert told == ["better (1)", "equivalent (3)", "undecided (1)", "worse (1)", "margin ±.020"]
    bold = {t.get_text() for t in panel.texts if t.get_fontweight() == "bold"}
    assert bold == {"+.040", "+.006", "−.050"}


def test_an_arm_far_from_all_others_is_an_arrow_at_the_edge():
    near = {f"{n}": around(0.005 * n, 0.01) for n in range(-3, 4)}
    found = verdicts(near, 0.02)
    low, high = arms.reach(found)
    assert -0.03 < low < -0.02 < 0.02 < high < 0.03
    assert arms.reach(verdicts(near | {"far": around(-0.5, 0.01)}, 0.02)) == (low, high)
    assert arms.reach(verdicts(near | {"off": around(-0.05, 0.01)}, 0.02))[0] < -0.05
    wide = verdicts(near | {"wide": around(0.01, 1.0)}, 0.02)
    assert arms.reach(wide)[1] > 0.4  # An interval is never cut of an arm that is not far.
    with style.style():
        panel = Figure().subplots()
        arms._draw(panel, verdicts({"far": around(-0.5, 0.01)}, 0.02)[0], 0, low, high)
    assert panel.lines[-1].get_marker() == "<"
    assert low < panel.lines[-1].get_xdata()[0] < -0.02


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.02, "+.02"),
        (-0.0005, "−.0005"),
        (0.0, "0"),
        (-1e-17, "0"),
        (1.5, "+1.5"),
        (-20.5, "−20.5"),
    ],
)
def test_ticks_have_no_more_decimals_than_they_need(at, text):
    assert arms.on_axis(at) == text


def test_without_a_difference_nothing_is_drawn(tmp_path):
    assert difference_figure((), tmp_path / "a", reference=REFERENCE) == []
    found = verdicts({"gone": ARMS["gone"]}, 0.02)
    assert difference_figure(found, tmp_path / "a", reference=REFERENCE) == []
    assert len(difference_figure(verdicts({"x": [0.1]}, 0.02), tmp_path / "a", reference="y")) == 2


def scores(arms: int, seeds: int = 12) -> np.ndarray:
    return np.random.default_rng(0).normal(np.arange(arms) * -0.5, 1, (seeds, arms))


@pytest.mark.parametrize("arms", [2, 3, 16, 45])
def test_ranks_are_drawn_with_each_name_once(tmp_path, monkeypatch, arms):
    figures = drawn(monkeypatch)
    ranking = friedman(scores(arms))
    names = [f"arm {n}" for n in range(arms)]
    assert len(rank_figure(ranking, names, tmp_path / "ranks")) == 2
    said = [text.get_text().split() for text in figures[0].axes[0].texts]
    for name, rank in zip(names, ranking.ranks, strict=True):
        number = f"{rank:.1f}"
        assert [number, *name.split()] in said or [*name.split(), number] in said
    assert len([words for words in said if "arm" in words]) == arms
    bars = [line for line in figures[0].axes[0].lines if line.get_linewidth() == 3]
    ends = [line.get_xdata() for line in bars]
    groups = [(ranking.ranks[g[0]] - 0.06, ranking.ranks[g[-1]] + 0.06) for g in ranking.groups]
    np.testing.assert_allclose(np.reshape(ends, (-1, 2)), np.reshape(groups, (-1, 2)))


def test_bars_of_ranks_touch_no_other():
    ranking = friedman(scores(16, 40))
    lines = ranks.stacked(ranking)
    spans = ranks._ends(ranking)
    assert len(lines) == len(ranking.groups) > 2
    for one in range(len(lines)):
        for two in range(one):
            if lines[one] == lines[two]:
                assert spans[one][0] > spans[two][1] + 0.2
    assert max(lines) < len(lines) - 1  # Some share a line.


def test_ranks_without_a_test_are_not_drawn(tmp_path):
    assert rank_figure(friedman(scores(3, 2)), ["a", "b", "c"], tmp_path / "ranks") == []
    with pytest.raises(ValueError, match="want 3 names of arms, got 2"):
        rank_figure(friedman(scores(3)), ["a", "b"], tmp_path / "ranks")


def test_long_names_stay_apart():
    names = [
        f"lstm + lstm, gemaps_hsf + glove, {name} learning_rate=.0026" for name in ("one", "a b")
    ]
    assert style.labels_of([*names, "best"], 34) == ["…one…", "…a b…", "best"]
    assert style.labels_of(names, 80) == names
    assert style.labels_of(["x" * 90] * 2, 20) == [style.shorten("x" * 90, 20)] * 2
    alone = "a name of many words that is too long for any axis"
    assert style.labels_of([alone, "b"], 20) == [style.shorten(alone, 20), "b"]
    assert style.labels_of([f"{alone} 1 {alone}", f"{alone} 2 {alone}"], 20) == ["…1…", "…2…"]
