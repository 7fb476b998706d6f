"""What a table counts, and what it leaves out."""

from __future__ import annotations

import pytest

from dser_jax.stats.rows import learned, untrained
from dser_jax.stats.table import tables


def row(name, seed, scores=(0.2, 0.4, 0.6), weights=(1.0, 1.0, 1.0), **more):
    ccc = dict(zip(("valence", "arousal", "dominance"), scores, strict=True))
    known = [value for value in scores if value is not None]
    ccc["mean"] = sum(known) / len(known)
    common = {"corpus": "demo", "protocol": "strict", "split": "last session", "truth": "k"}
    hparams = {"loss_weights": list(weights)}
    origin = {"run": f"{name}-{seed}", "name": name, "seed": seed, "status": "ok"}
    return origin | common | {"hparams": hparams, "test": {"ccc": ccc}} | more


@pytest.mark.parametrize(
    ("weights", "left"),
    [
        ([1.0, 1.0, 1.0], ()),
        ([1.0, 0.0, 0.0], ("arousal", "dominance")),
        ([0.7, 0.4, -0.1], ()),
    ],
)
def test_a_weight_of_zero_trains_nothing(weights, left):
    entry = row("a", 0, weights=weights)
    assert untrained(entry) == left
    for attr, value in (("valence", 0.2), ("arousal", 0.4), ("dominance", 0.6)):
        assert learned(entry, attr) == (None if attr in left else value)
    assert learned(entry, "mean") == (None if left else pytest.approx(0.4))


def test_an_attribute_without_labels_costs_no_mean():
    entry = row("a", 0, (0.2, 0.4, None), (0.5, 0.5, 0.0))
    assert learned(entry, "mean") == pytest.approx(0.3)
    assert tables([entry])[0].rows[0].untrained == frozenset()


def test_rows_without_weights_have_learned_all():
    entry = row("ridge", 0) | {"hparams": {"alpha": [1.0]}}
    assert untrained(entry) == ()
    assert learned(entry, "mean") == pytest.approx(0.4)
    assert untrained({"hparams": None}) == ()


def test_what_is_not_trained_is_in_no_column_and_no_test():
    rows = [row("all", seed, (0.1 + seed / 9, 0.3, 0.2)) for seed in range(4)]
    rows += [row("one", seed, (0.2 + seed / 7, 0.9, 0.9), (1.0, 0.0, 0.0)) for seed in range(4)]
    (table,) = tables(rows)
    every, one = table.rows
    assert every.untrained == frozenset()
    assert one.untrained == {"arousal", "dominance", "mean"}
    assert set(one.scores) == {"valence"}
    assert [table.best(column) for column in ("valence", "arousal", "mean")] == [
        "one",
        "all",
        "all",
    ]
    assert len(table.comparisons("valence")) == 1
    assert table.comparisons("arousal") == table.comparisons("mean") == ()


def test_runs_that_ended_before_their_time_are_counted_by_how():
    rows = [row("a", 0), row("a", 1, status="failed"), row("a", 2, status="pruned")]
    rows += [row("b", 0, (0.9, 0.9, 0.9), status="pruned"), row("c", 0, status="failed")]
    del rows[1]["test"], rows[4]["test"]
    (table,) = tables(rows)
    assert [entry.name for entry in table.rows] == ["a", "c"]
    first, last = table.rows
    assert (first.n, dict(first.lost), first.diverged) == (1, {"failed": 1, "pruned": 1}, 0)
    assert (last.n, last.scores, last.finished) == (0, {}, [])
    assert table.lost == {"failed": 2, "pruned": 2}
    assert table.by("rmse").lost == table.lost
    assert table.best() == "a"
