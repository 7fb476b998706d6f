from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_jax.stats.means import summary
from dser_jax.stats.paired import holm, pair_by_seed, paired_t, signed_rank
from dser_jax.stats.rows import score
from dser_jax.stats.table import tables

calm = settings(deadline=None, derandomize=True)
value = st.integers(-1000, 1000).map(lambda number: number / 1000)
pairs = st.lists(st.tuples(value, value), min_size=3, max_size=30)


def row(name, seed, mean=0.5, **more):
    scores = None if mean is None else {"valence": mean - 0.1, "arousal": mean + 0.1, "mean": mean}
    common = {"corpus": "demo", "protocol": "strict", "split": "last session", "truth": "k"}
    origin = {"run": f"{name}-{seed}-{more}", "network": "lstm", "features": "we"}
    test = {"ccc": scores or {"valence": None, "arousal": None, "mean": None}}
    status = "diverged" if mean is None else "ok"
    return {"name": name, "seed": seed, "status": status, "test": test} | common | origin | more


# Paired tests


def test_paired_t_by_hand():
    # Differences 1 2 3: mean 2, sd 1, t = 2 / (1 / sqrt(3)) = 3.4641, d_z = 2. With 2 degrees of
    # freedom p = 1 - t / sqrt(t^2 + 2) = 1 - sqrt(12 / 14).
    found = paired_t([2, 4, 6], [1, 2, 3])
    assert (found.n, found.difference, found.note) == (3, 2.0, "")
    assert found.t == pytest.approx(math.sqrt(12))
    assert found.p == pytest.approx(1 - math.sqrt(12 / 14))
    assert found.effect == pytest.approx(2)
    assert found.low == pytest.approx(2 - 4.3026527 / math.sqrt(3))


@calm
@given(pairs)
def test_paired_t_equals_scipy(pairs):
    first, second = np.transpose(pairs)
    found = paired_t(first.tolist(), second.tolist())
    differences = first - second
    if found.note:
        assert np.ptp(differences) < 1e-11
        assert found.p is found.t is found.effect is found.low is None
        return
    want = scipy.stats.ttest_rel(first, second)
    assert found.t == pytest.approx(want.statistic)
    assert found.p == pytest.approx(want.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(want.confidence_interval()), abs=1e-9)
    assert found.effect == pytest.approx(found.t / math.sqrt(found.n))


@calm
@given(pairs)
def test_paired_t_turns_its_sign(pairs):
    first, second = np.transpose(pairs).tolist()
    one, two = paired_t(first, second), paired_t(second, first)
    assert one.difference == -two.difference
    assert one.p == two.p
    assert one.note == two.note


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        ([], [], "no seed in common"),
        ([1], [2], "no test with fewer than 3 seeds in common"),
        ([1, 2], [2, 5], "no test with fewer than 3 seeds in common"),
        ([1, 2, 3], [1, 2, 3], "no test: the scores are equal"),
        ([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], "no test: every seed differs alike"),
        ([0.0] * 4, [0.0] * 4, "no test: the scores are equal"),
        ([0.7] * 4, [0.5] * 4, "no test: every seed differs alike"),
    ],
)
def test_where_there_is_no_test_the_note_says_why(first, second, note):
    found = paired_t(first, second)
    assert found.note == note
    assert found.p is found.t is found.effect is found.low is found.high is None


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equal length"):
        paired_t([1, 2, 3], [1, 2])


def test_signed_rank_by_hand():
    # Differences 3 -1 2 5: ranks 3 1 2 4, the second negative: sums 9 and 1. Of the 16 signs, one
    # gives a lower sum of 0 and one of 1: p = 2 * 2 / 16.
    found = signed_rank([4, 1, 4, 6], [1, 2, 2, 1])
    assert (found.n, found.zeros, found.ties, found.plus, found.minus) == (4, 0, 0, 9, 1)
    assert found.p == 0.25
    assert found.effect == pytest.approx(0.8)
    assert found.note == "with 4 pairs no p is below 0.125"


def test_signed_rank_says_zeros_and_ties():
    # Without the zero: 2 2 -2 4, ranks 2 2 2 4, sums 8 and 2. Sums of at most 2: none, or one of
    # three twos: 4 of 16.
    found = signed_rank([3, 3, 1, 5, 7], [1, 1, 3, 1, 7])
    assert (found.n, found.zeros, found.ties, found.plus, found.minus) == (4, 1, 3, 8, 2)
    assert found.p == 0.5
    assert found.note.startswith("1 of 5 pairs are equal and left out; 3 differences are tied; ")


def test_sizes_that_differ_by_rounding_are_tied():
    found = signed_rank([0.3, 0.5, 0.9], [0.2, 0.4, 1.0])
    assert found.ties == 3
    assert signed_rank([0.1 + 0.2, 1, 2, 3], [0.3, 0, 0, 0]).zeros == 1


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        ([], [], "no seed in common"),
        ([1, 2], [2, 5], "no test with fewer than 3 seeds in common"),
        ([1, 2, 3], [1, 2, 3], "no test: 3 of 3 pairs are equal and left out"),
        ([0.0] * 4, [0.0] * 4, "no test: 4 of 4 pairs are equal and left out"),
    ],
)
def test_where_there_is_no_signed_rank_test_the_note_says_why(first, second, note):
    found = signed_rank(first, second)
    assert found.note == note
    assert found.p is found.plus is found.effect is None
    with pytest.raises(ValueError, match="equal length"):
        signed_rank([1, 2, 3], [1, 2])


@calm
@given(st.permutations(range(1, 15)), st.lists(st.booleans(), min_size=14, max_size=14))
def test_signed_rank_equals_scipy_without_ties(sizes, signs):
    differences = np.where(signs, sizes, np.negative(sizes))[:11].tolist()
    found = signed_rank(differences, [0.0] * 11)
    want = scipy.stats.wilcoxon(differences, method="exact")
    assert found.p == pytest.approx(want.pvalue)
    assert min(found.plus, found.minus) == want.statistic
    assert found.plus + found.minus == 66
    assert found.note == ""


@settings(deadline=None, derandomize=True, max_examples=20)
@given(st.lists(st.integers(-4, 4).filter(bool), min_size=3, max_size=9))
def test_signed_rank_equals_scipys_permutations_with_ties(differences):
    def sums(differences, axis):
        ranks = scipy.stats.rankdata(np.abs(differences), axis=axis)
        return (np.sign(differences) * ranks).sum(axis)

    found = signed_rank(differences, [0] * len(differences))
    want = scipy.stats.permutation_test(
        (np.array(differences, float),),
        sums,
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert found.p == pytest.approx(want.pvalue)
    assert np.sign(found.effect) == np.sign(want.statistic)


@calm
@given(pairs)
def test_signed_rank_turns_its_sign(pairs):
    first, second = np.transpose(pairs).tolist()
    one, two = signed_rank(first, second), signed_rank(second, first)
    assert (one.plus, one.minus, one.p, one.note) == (two.minus, two.plus, two.p, two.note)
    assert one.effect is two.effect is None or one.effect == -two.effect
    assert one.p is None or 2 ** (1 - one.n) <= one.p <= 1


def test_forty_pairs_are_exact_and_close_to_normal():
    differences = np.random.default_rng(0).normal(0.2, 1, 40).tolist()
    found = signed_rank(differences, [0.0] * 40)
    assert found.p == pytest.approx(scipy.stats.wilcoxon(differences, method="exact").pvalue)
    normal = scipy.stats.wilcoxon(differences, method="asymptotic").pvalue
    assert found.p == pytest.approx(normal, rel=0.05)


def test_holm_by_hand():
    # Sorted .01 .02 .03 .9 times 4 3 2 1: .04 .06 .06 .9, each at least the one before.
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@calm
@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_lowers_nothing(values):
    adjusted = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, adjusted, strict=True))
    order = np.argsort(values, kind="stable")
    assert all(np.diff(np.array(adjusted)[order]) >= 0)


# Pairing


def test_pairs_have_equal_seeds_in_any_order():
    first = [row("a", 2, 0.2), row("a", 0, 0.0), row("a", 1, 0.1)]
    second = [row("b", 1, 0.6), row("b", 2, 0.7), row("b", 5, 0.9)]
    found = pair_by_seed(first, second, lambda row: score(row, "mean"))
    assert found.seeds == (2, 1)
    assert found.first == (0.2, 0.1)
    assert found.second == (0.7, 0.6)
    assert found.unpaired == 2


def test_diverged_and_repeated_seeds_are_unpaired():
    first = [row("a", 0), row("a", 1), row("a", 2, None)]
    second = [row("b", 0), row("b", 1), row("b", 1, 0.9), row("b", 2)]
    found = pair_by_seed(first, second, lambda row: score(row, "mean"))
    assert found.seeds == (0,)
    assert found.unpaired == 5


# Tables


def test_tables_keep_the_order_of_names_and_count_the_diverged():
    rows = [row("b", 0, 0.5), row("a", 0, 0.6), row("b", 1, 0.7), row("a", 1, None)]
    (table,) = tables(rows)
    assert [entry.name for entry in table.rows] == ["b", "a"]
    first, second = table.rows
    assert first.scores["mean"] == summary([0.5, 0.7])
    assert (first.n, first.diverged) == (2, 0)
    assert second.scores["mean"] == summary([0.6])
    assert (second.n, second.diverged, table.lost) == (1, 1, {"diverged": 1})
    assert table.columns == ("valence", "arousal", "mean")
    assert (first.network, first.features) == ("lstm", "we")


def test_a_name_whose_runs_all_diverged_stays_in_the_table():
    (table,) = tables([row("a", 0, None), row("b", 0)])
    assert [entry.name for entry in table.rows] == ["a", "b"]
    assert table.rows[0].scores == {}
    (found,) = table.comparisons()
    assert (found.test.n, found.test.difference, found.unpaired) == (0, None, 2)


def test_what_does_not_compare_is_not_in_one_table():
    rows = [
        row("a", 0),
        row("a", 0, protocol="paper"),
        row("a", 0, split="random"),
        row("a", 0, truth="j"),
        row("a", 0, corpus="other"),
        row("a", 1),
    ]
    found = tables(rows)
    assert len(found) == 5
    assert [len(table.rows[0].runs) for table in found] == [2, 1, 1, 1, 1]
    assert found[1].protocol == "paper"


def test_comparisons_are_all_pairs_and_adjusted():
    key = np.random.default_rng(0)
    rows = [
        row(name, seed, 0.5 + gain + key.normal(0, 0.01))
        for seed in range(5)
        for name, gain in (("a", 0), ("b", 0.05), ("c", 0.05))
    ]
    (table,) = tables(rows)
    found = table.comparisons()
    assert [(each.first, each.second) for each in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    means = {
        name: [entry["test"]["ccc"]["mean"] for entry in rows if entry["name"] == name]
        for name in "abc"
    }
    for each in found:
        want = scipy.stats.ttest_rel(means[each.first], means[each.second])
        assert each.test.p == pytest.approx(want.pvalue)
        assert each.unpaired == 0
    assert [each.p_holm for each in found] == holm([each.test.p for each in found])
    assert [each.ranks.p for each in found[:2]] == [2 / 2**5, 2 / 2**5]
    assert [each.ranks_p_holm for each in found] == holm([each.ranks.p for each in found])
    assert len(table.comparisons("valence")) == 3


def test_other_parts_and_metrics():
    entry = row("a", 0) | {"validation": {"rmse": {"valence": 0.4, "mean": 0.4}}}
    assert tables([entry], "rmse", "validation")[0].rows[0].scores["mean"].mean == 0.4
    assert tables([entry], "rmse", "test")[0].rows[0].scores == {}
    assert tables([]) == ()
