"""The turns before: never the future, never a label, nothing of another dialogue."""

from __future__ import annotations

import contextlib
import dataclasses
import functools

import jax
import numpy as np
import pytest
from tiny import CONFIG, WORDS, make_dataset

from dser_jax.data.dialogues.making import laid_out
from dser_jax.data.dialogues.order import causal_means, groups_of
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.terms import Hooks
from dser_jax.plan.runs import RunSpec
from dser_jax.system.signals import Interrupted
from dser_jax.training.context import with_context
from dser_jax.training.hparams import HParams
from dser_jax.training.run import Run, make_run

COUNT = 61
SMALL = dataclasses.replace(CONFIG, acoustic="dense", text="dense", max_epochs=2, context_turns=3)


@dataclasses.dataclass(frozen=True)
class Place:
    dialogue: str | None
    turn: float | None
    speaker: str | None


def places():
    """Dialogues of seven turns, in mixed order, by two speakers; the last rows are in none."""
    order = np.random.default_rng(3).permutation(COUNT)
    return tuple(
        Place(f"d{at // 7}", float(at % 7), "ab"[at % 2]) if at < 56 else Place(None, None, "a")
        for at in order
    )


PLACES = places()
TURNS = np.random.default_rng(4).normal(size=(COUNT, 5)).astype(np.float32)
TURNS[[5, 6, 7], :2] = np.nan
TURNS[[20, 21]] = np.nan


def data_of(context, turns=TURNS, dataset=None):
    config = dataclasses.replace(SMALL, context=context)
    data = (dataset or make_dataset(COUNT)).data
    laid = laid_out(config, turns, PLACES)
    return data._replace(turns=laid.turns, dialogues=laid.dialogues, before=laid.before)


@functools.cache
def build(context) -> Run:
    run = make_run(dataclasses.replace(SMALL, context=context), WORDS, SMALL.embedding_dim)
    return Run(*map(jax.jit, run))


def predictions(context, turns=TURNS, dataset=None, half_life=8.0):
    """Returns what a run predicts of its test rows, and its final state."""
    run, data = build(context), data_of(context, turns, dataset)
    hparams = HParams(half_life=np.float32(half_life))
    state = run.init(jax.random.key(0), data)
    for _ in range(SMALL.max_epochs):
        state = run.epoch(hparams, state, data)
    return np.asarray(run.result(state, data).test_pred), state


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("half_life", [0.01, 0.5, 8.0, 500.0])
def test_means_are_those_of_a_loop(same, half_life):
    data = data_of("same" if same else "all")
    found = np.asarray(with_context(data, half_life).context)
    groups = groups_of(PLACES, same)
    np.testing.assert_allclose(found, causal_means(TURNS, groups, half_life), atol=2e-6)
    both = np.asarray(with_context(data_of("both"), half_life).context)
    np.testing.assert_array_equal(found, both[:, 5:] if same else both[:, :5])


@pytest.mark.parametrize("context", ["all", "same", "both", "recurrent"])
def test_predictions_know_no_turn_after_theirs_and_no_other_dialogue(context):
    dataset = make_dataset(COUNT)
    rows = dataset.split.test
    row = next(row for row in rows if PLACES[row].turn == 4)
    here = PLACES[row]
    at = list(rows).index(row)

    def is_before(other):
        return other.dialogue == here.dialogue and other.turn < here.turn

    later = np.array([not is_before(other) for other in PLACES])
    run, data = build(context), data_of(context)
    _, state = predictions(context)
    want = np.asarray(run.result(state, data).test_pred)[at]
    # Whatever else is said, at the same time or later, there or elsewhere: the prediction stays.
    other = np.where(later[:, None], TURNS[::-1] * 3 + 1, TURNS)
    got = np.asarray(run.result(state, data_of(context, other)).test_pred)[at]
    np.testing.assert_array_equal(got, want)
    # What was said before counts.
    other = np.where(later[:, None], TURNS, TURNS[::-1] * 3 + 1)
    got = np.asarray(run.result(state, data_of(context, other)).test_pred)[at]
    assert (got != want).any()


@pytest.mark.parametrize("context", ["both", "recurrent"])
def test_labels_of_test_rows_change_nothing(context):
    dataset = make_dataset(COUNT)
    gold = np.array(dataset.data.gold)
    gold[dataset.split.test] = gold[dataset.split.test][::-1]
    other = dataclasses.replace(dataset, data=dataset.data._replace(gold=gold))
    np.testing.assert_array_equal(predictions(context)[0], predictions(context, dataset=other)[0])


def test_a_row_on_its_own_has_no_context():
    alone = np.array([place.dialogue is None or place.turn == 0 for place in PLACES])
    found = np.asarray(with_context(data_of("both"), 8.0).context)
    assert not found[alone].any()
    assert found[~alone].any(axis=1).sum() > 30
    before = data_of("recurrent").before
    assert (before[alone] == COUNT).all()


def test_the_half_life_is_kept_for_who_predicts_later():
    short, state = predictions("all", half_life=0.5)
    assert float(state.half_life) == 0.5
    assert (short != predictions("all")[0]).any()
    assert predictions("recurrent")[1].half_life == ()


def test_lanes_of_any_half_life_depend_on_no_neighbour_and_no_interruption(tmp_path):
    dataset = make_dataset(COUNT)
    dataset = dataclasses.replace(dataset, data=data_of("both"))
    config = dataclasses.replace(SMALL, context="both")
    specs = [
        RunSpec("", HParams(half_life=np.float32(turns)), seed)
        for turns in (0.5, 8.0, 30.0)
        for seed in range(2)
    ]
    runs = [(f"{spec.hparams.half_life} {spec.seed}", spec) for spec in specs]
    results = [
        dict(train_runs(dataset, config, order, lanes=4))
        for order in (runs, runs[2:4] + runs[:2] + runs[4:])
    ]
    results.append({})
    while len(results[2]) < len(runs):  # Two rounds at a time.
        rounds = iter(range(2))
        stop = Hooks(stop=lambda rounds=rounds: "SIGTERM" if next(rounds, 2) == 2 else None)
        places = Checkpoints(tmp_path, pytest.fail)
        todo = [each for each in runs if each[0] not in results[2]]
        with contextlib.suppress(Interrupted):
            for run, outcome in train_runs(
                dataset, config, todo, lanes=4, checkpoints=places, hooks=stop
            ):
                results[2][run] = outcome
    for run, outcome in results[0].items():
        for other in results[1:]:
            jax.tree.map(np.testing.assert_array_equal, outcome.result, other[run].result)
    preds = [outcome.result.test_pred for outcome in results[0].values()]
    assert len({pred.tobytes() for pred in preds}) == len(preds)
