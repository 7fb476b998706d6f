"""Optuna's studies as searches: what they are asked, and what they are told."""

import math

import pytest

from dser_jax.search.asha import halving
from dser_jax.search.optuna import OptunaSearch, optuna_search
from dser_jax.search.space import Choice, Range, Space
from dser_jax.system.errors import DserError

optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.WARNING)
COMPLETE, PRUNED, FAIL = (
    optuna.trial.TrialState.COMPLETE,
    optuna.trial.TrialState.PRUNED,
    optuna.trial.TrialState.FAIL,
)

SPACE = Space(
    {
        "learning_rate": Range(1e-4, 1e-2, log=True),
        "text_dropout": Choice((0.1, 0.3, 0.5)),
        "patience": Range(5, 20),
    }
)
SIMPLEX = Space({"alpha": Range(0, 1), "beta": Range(0, 1)})


def study(**settings):
    settings = {"direction": "maximize", "sampler": optuna.samplers.RandomSampler(0)} | settings
    return optuna.create_study(**settings)


def test_a_study_gets_exactly_what_is_told():
    search = OptunaSearch(study(), SPACE, 4)
    points = [search.ask(trial) for trial in range(4)]
    for point in points:
        assert 1e-4 <= point["learning_rate"] <= 1e-2
        assert point["text_dropout"] in (0.1, 0.3, 0.5)
        assert isinstance(point["patience"], int)
    assert search.keep(2, 4, 0.125)
    search.tell(1, 0.5251, False)
    search.tell(0, 0.0, False)
    search.tell(2, 0.2, True)
    search.tell(3, None, False)
    trials = search.study.trials
    assert [t.state for t in trials] == [COMPLETE, COMPLETE, PRUNED, FAIL]
    assert [t.value for t in trials] == [0.0, 0.5251, 0.125, None]
    assert trials[2].intermediate_values == {4: 0.125}
    assert search.study.best_trial.number == 1
    for point, trial in zip(points, trials, strict=True):
        assert point == pytest.approx(trial.params, rel=1e-3)


def test_negative_weights_are_worth_nothing_and_asked_for_no_longer():
    search = optuna_search(SIMPLEX, 40)
    for trial in range(40):
        point = search.ask(trial)
        assert point["alpha"] + point["beta"] <= 1 + 1e-9
        search.tell(trial, 0.6 - (point["alpha"] - 0.7) ** 2, False)
    trials = search.study.trials
    outside = [t for t in trials if t.params["alpha"] + t.params["beta"] > 1 + 1e-3]
    assert 0 < len(outside) == len(trials) - 40 < 40
    assert {t.value for t in outside} == {0.0}
    assert search.study.best_trial.params["alpha"] == pytest.approx(0.7, abs=0.1)


def objective(point):
    return 1 - (math.log10(point["learning_rate"]) + 3) ** 2 - (point["text_dropout"] - 0.3) ** 2


def run(search, count):
    """Asks and tells, three under way at a time, as lanes do."""
    points = [search.ask(trial) for trial in range(3)]
    for trial in range(count):
        search.tell(trial, objective(points[trial]), False)
        if len(points) < count:
            points.append(search.ask(len(points)))
    return points


def test_the_same_seed_asks_for_the_same_and_begin_forgets():
    one, other = optuna_search(SPACE, 30, seed=3), optuna_search(SPACE, 30, seed=3)
    points = run(one, 30)
    assert run(other, 30) == points
    one.begin()
    assert run(one, 30) == points
    assert run(optuna_search(SPACE, 30, seed=4), 30) != points


def test_what_is_told_makes_it_better():
    points = run(optuna_search(SPACE, 60, seed=0), 60)
    early, late = (sum(map(objective, part)) / len(part) for part in (points[:10], points[-20:]))
    assert late > early + 0.05


def test_a_study_that_was_used_in_between_is_refused():
    given = study()
    given.enqueue_trial({"learning_rate": 1e-3})
    search = OptunaSearch(given, SPACE, 2)
    assert search.describe()["trials_before"] == 1
    search.begin()
    search.ask(0)
    search.ask(1)
    with pytest.raises(DserError, match="told to a fresh study"):
        search.begin()


def test_a_study_that_minimizes_is_refused():
    with pytest.raises(DserError, match='direction="maximize"'):
        OptunaSearch(optuna.create_study(), SPACE, 2)


def test_a_pruner_is_asked_at_the_rungs_and_within_halving():
    pruner = optuna.pruners.ThresholdPruner(lower=0.5)
    search = halving(OptunaSearch(study(pruner=pruner), SPACE, 9, rungs=(3,)), first=2, eta=2)
    assert search.rungs[:4] == (2, 3, 4, 8)
    search.ask(0)
    search.ask(1)
    assert search.keep(0, 2, 0.9)
    assert not search.keep(1, 2, 0.8)  # By halving.
    assert not search.keep(0, 3, 0.4)  # By the pruner.
    about = search.describe()
    assert (about["kind"], about["sampler"], about["pruner"], about["rungs"], about["halving"]) == (
        *("optuna", "RandomSampler", "ThresholdPruner", [3]),
        {"first": 2, "eta": 2},
    )


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(DserError, match=r"pip install .*optuna"):
        optuna_search(SPACE, 2)
