"""Arms of an experiment: what each tries, what is chosen, and that seeds start alike in all."""

from argparse import Namespace
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import CONFIG

from dser_jax.experiment import arms as arms_file
from dser_jax.experiment import conducting, tuning
from dser_jax.experiment.arms import (
    RANGES,
    RATES,
    TUNED,
    all_arms,
    best_of,
    groups_of,
    reference_of,
    settings_of,
    simplex,
    tried,
    with_labels,
)
from dser_jax.loss import METHODS, WEIGHTINGS, methods
from dser_jax.system import DserError
from dser_jax.training import HParams


def test_there_is_an_arm_of_every_method():
    arms = {arm.name: arm for arm in all_arms()}
    assert set(methods()) - {"fixed", "sum"} <= set(arms)
    assert {"valence alone", "equal weights", "0.7/0.2/0.1", "0.9/0.9/0.2", TUNED} <= set(arms)
    assert arms["valence alone"].weights == (1, 0, 0)
    assert set(RANGES) <= set(arms)
    for name in RANGES:  # Those that take a setting are those that draw one.
        assert "setting" in WEIGHTINGS[name].needs
    alone = {n for n, w in WEIGHTINGS.items() if "setting" in w.needs and n not in METHODS}
    assert alone == set(RANGES)
    assert [arm.name for arm in all_arms(["dwa", "equal weights"])] == ["equal weights", "dwa"]
    with pytest.raises(DserError, match=r"--arms dwq: expected some of valence alone, "):
        all_arms(["dwq"])


def test_a_task_without_labels_has_no_arm(capsys):
    labels = np.array([[0.1, 0.5, np.nan], [-0.1, 0.5, np.nan], [np.nan, np.nan, np.nan]])
    arms = all_arms(["valence alone", "arousal alone", "dominance alone", "dwa"])
    names = [arm.name for arm in with_labels(arms, labels)]
    assert names == ["valence alone", "dwa"]
    said = " ".join(capsys.readouterr())
    assert "'arousal alone' is left out: there are no labels of arousal that differ" in said
    assert "'dominance alone' is left out" in said


def test_all_arms_try_as_many_settings_with_the_same_rates():
    arms = all_arms()
    found = {arm.name: settings_of(arm, 6, 1e-3) for arm in arms}
    rates = {tuple(each.learning_rate for each in settings) for settings in found.values()}
    assert len(rates) == 1
    (rates,) = rates
    assert rates[0] == 1e-3
    assert all(RATES[0] <= rate <= RATES[1] for rate in rates)
    assert len(set(rates)) == 6
    for name, (low, high) in RANGES.items():
        own = [each.own for each in found[name]]
        assert own[0] == 0  # What its authors have.
        assert all(low <= each <= high for each in own[1:])
    assert all(each.own == 0 for each in found["equal weights"])
    drawn = [each.weights for each in found[TUNED]]
    assert len(set(drawn)) == 6
    assert all(sum(each) == pytest.approx(3, abs=0.02) for each in drawn)
    # More settings begin with those of fewer.
    assert settings_of(arms[-1], 3, 1e-3) == found[arms[-1].name][:3]


def test_runs_are_a_program_a_family_with_equal_seeds_and_all_epochs():
    arms = all_arms(["equal weights", "dwa", "cagrad", "famo"])
    runs = {arm.name: (arm, settings_of(arm, 2, 1e-3)[1]) for arm in arms}
    groups = groups_of(CONFIG, HParams(), runs, range(100, 103))
    assert {group.config.weighting for group in groups} == {"losses", "gradients", "famo"}
    specs = [spec for group in groups for spec in group.runs]
    for name in runs:
        mine = [spec for spec in specs if spec.name == name]
        assert [spec.seed for spec in mine] == [100, 101, 102]
        assert all(int(spec.hparams.patience) == CONFIG.max_epochs for spec in mine)
    by_name = {spec.name: spec.hparams for spec in specs}
    assert int(by_name["dwa"].method) == METHODS["losses"].index("dwa")
    assert int(by_name["cagrad"].method) == METHODS["gradients"].index("cagrad")
    assert int(by_name["famo"].method) == 0
    assert float(by_name["cagrad"].weighting_setting) == np.float32(runs["cagrad"][1].own)


def rows(arms, count, value):
    return [
        {
            "name": name,
            "seed": seed,
            "status": "ok",
            "validation": {"ccc": {attr: value(name, attr) for attr in ATTRS}},
        }
        for name in tried(arms, count, 1e-3)
        for seed in range(2)
    ]


ATTRS = ("valence", "arousal", "dominance", "mean")


def test_each_arm_is_chosen_on_validation_by_what_it_is_for():
    arms = all_arms(["valence alone", "equal weights", TUNED, "dwa"])

    def value(name, attr):
        number = int(name[-1])
        return {"valence": number, "mean": -number}.get(attr, 0) / 10 + ("tuned" in name) / 100

    chosen = best_of(tried(arms, 3, 1e-3), rows(arms, 3, value))
    settings = {arm.name: settings_of(arm, 3, 1e-3) for arm in arms}
    assert chosen["valence alone"] == (pytest.approx(0.2), settings["valence alone"][2])
    assert chosen["dwa"] == (pytest.approx(0.0), settings["dwa"][0])
    assert reference_of(arms, chosen) == TUNED
    with pytest.raises(DserError, match="without fixed weights"):
        reference_of(all_arms(["dwa"]), chosen)


def test_settings_and_grid_are_of_the_folds_that_the_arms_are_of(monkeypatch):
    """Settings of one split would be chosen by rows that other folds test on."""
    split, trained = [], []
    prepared = SimpleNamespace(labels=np.eye(3))

    def in_folds(groups, prepared, split):
        return [replace(g, config=replace(g.config, split=s)) for g in groups for s in split]

    def train_beside(args, groups, folder):
        trained.append(str(folder))
        split.append({group.config.split for group in groups})
        return rows(all_arms(args.arms), args.settings, lambda name, attr: 0.5)

    monkeypatch.setattr(arms_file, "in_folds", in_folds)
    monkeypatch.setattr(arms_file, "train_beside", train_beside)
    monkeypatch.setattr(arms_file, "prepared_of", lambda args: prepared)
    monkeypatch.setattr(arms_file, "make_hparams", lambda args, weights: HParams())
    numbers = {"settings": 2, "tries": 2, "seeds": 3, "grid_seeds": 1, "margin": 0.01}
    asked = {"arms": ["equal weights", "dwa"], "split": ("fold:1/2", "fold:2/2"), "out": "out"}
    args = Namespace(**numbers, **asked, learning_rate=1e-3, part=None)
    arms_file.chosen_arms(args, CONFIG)
    assert trained == ["out/settings", "out/grid"]
    assert split == [{"fold:1/2", "fold:2/2"}] * 2
    args.part = (1, 2)  # `dser merge` takes them from there, as other parts may be elsewhere.
    arms_file.chosen_arms(args, CONFIG)
    assert trained[2:] == ["out/part-1-of-2/settings", "out/part-1-of-2/grid"]


def test_a_part_searches_in_its_own_folder(tmp_path, monkeypatch):
    folders = []

    def train_beside(args, groups, folder, report):
        folders.append(folder)

    monkeypatch.setattr(tuning, "train_beside", train_beside)
    monkeypatch.setattr(tuning, "make_hparams", lambda args, weights: HParams())
    monkeypatch.setattr(tuning, "read_journal", lambda folder: SimpleNamespace(rows=[]))
    for part in (None, (2, 3)):
        with pytest.raises(DserError, match="no trial has ended well"):
            tuning.tune(Namespace(out=str(tmp_path), part=part), CONFIG, [4], 1)
    assert folders == [tmp_path / "search-4", tmp_path / "part-2-of-3/search-4"]


def test_what_arms_were_chosen_from_is_no_longer_to_be_changed(tmp_path, monkeypatch):
    """Told before hours of training, not after."""
    known = {"arms": {"settings": 4, "tries": 2}}
    monkeypatch.setattr(arms_file, "read_manifest", lambda out: known if out == tmp_path else None)
    given = {"out": str(tmp_path), "margin": 0.01, "seeds": 3, "tries": 2, "settings": 8}
    given |= {"part": None}
    with pytest.raises(DserError, match="chosen with --settings 4, and not 8; choose another"):
        arms_file.chosen_arms(Namespace(**given, learning_rate=1e-3), CONFIG)


def test_doubts_come_before_the_settings_are_trained_and_once(tmp_path, monkeypatch):
    said, trained = [], []
    monkeypatch.setattr(conducting, "prepared_of", lambda args: None)
    monkeypatch.setattr(conducting, "doubts_of", lambda groups, prepared: ["too few", "odd"])
    monkeypatch.setattr(conducting, "settle", lambda doubts, yes: said.append(doubts))
    monkeypatch.setattr(
        conducting,
        "run_experiment",
        lambda *_, **__: trained.append(len(said)) or SimpleNamespace(rows=()),
    )
    args = Namespace(yes=False, data="d", lanes=1, extend=False, save_every=5, ray=None)
    for _ in range(2):
        conducting.train_beside(args, [], tmp_path)
    assert (said, trained) == ([["too few", "odd"], []], [1, 2])


def test_a_run_that_diverged_is_worth_nothing_and_none_may_lack():
    arms = all_arms(["equal weights", "stch"])
    found = rows(arms, 2, lambda name, attr: 0.9 if name == "stch | 0" else 0.5)
    for row in found:
        if row["name"] == "stch | 0":
            row["status"] = "diverged"
    assert best_of(tried(arms, 2, 1e-3), found)["stch"][1] == settings_of(arms[1], 2, 1e-3)[1]
    pooled = [{**row, "kind": "pooled", "status": "diverged"} for row in found]
    assert best_of(tried(arms, 2, 1e-3), [*found, *pooled]) == best_of(tried(arms, 2, 1e-3), found)
    with pytest.raises(DserError, match="stch: not all of its settings"):
        best_of(tried(arms, 2, 1e-3), found[:-2])


def test_the_simplex_in_steps_of_a_tenth():
    points = list(simplex())
    assert len(points) == len(set(points)) == 66
    assert all(sum(point) == pytest.approx(1) for point in points)
    assert (0.7, 0.2, 0.1) in points
    assert (1.0, 0.0, 0.0) in points
