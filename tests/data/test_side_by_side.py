"""Several sets of functionals side by side: what networks, baselines and tables make of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny import make_utterances

from dser_jax.config import Config, side_by_side
from dser_jax.corpora.utterances import Corpus
from dser_jax.data.dataset import load_dataset
from dser_jax.data.inputs import check_inputs
from dser_jax.data.preparing import prepare
from dser_jax.experiment.running import run_experiment
from dser_jax.plan.groups import Group, paired_runs, product, usable_groups
from dser_jax.plan.names import run_id
from dser_jax.stats.baselines.inputs import blocks_of
from dser_jax.stats.baselines.planning import plan_baselines
from dser_jax.system.errors import DserError
from dser_jax.training.hparams import HParams

COUNT = 72
LACKING = {"few": [3, 40], "wide": [40, 41]}
SMALL = {"units": 3, "layers": 1, "fusion": (3, 2), "max_epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two sets of functionals, each of which some rows lack; sequences; features of text."""
    folder = tmp_path_factory.mktemp("beside")
    random = np.random.default_rng(0)
    utterances = make_utterances(COUNT, random)
    files = {}
    for name, width in (("few", 3), ("wide", 40)):
        values = random.normal(2, 3, size=(COUNT, width)).astype(np.float32)
        values[LACKING[name]] = np.nan
        np.save(folder / f"{name}.npy", values)
        files[name] = folder / f"{name}.npy"
    np.save(folder / "frames.npy", random.normal(size=(COUNT, 5, 2)).astype(np.float32))
    np.save(folder / "text.npy", random.normal(size=(COUNT, 4)).astype(np.float32))
    return prepare(
        Corpus("toy", utterances, (1.0, 5.0)),
        folder / "out",
        acoustic={**files, "frames": folder / "frames.npy"},
        text={"said": folder / "text.npy"},
        missing_speech="keep",
    )


def config(features="few+wide", **changes):
    return Config(**{"acoustic": "mlp", "text": None, "features": features, **SMALL, **changes})


def test_columns_are_side_by_side_and_a_row_that_lacks_one_set_has_none(prepared):
    dataset = load_dataset(prepared, config())
    parts = [prepared.feature(name)[0] for name in ("few", "wide")]
    gone = sorted({row for rows in LACKING.values() for row in rows})
    here = [row for row in range(COUNT) if row not in gone]
    fit = [row for row in dataset.split.train if row in here]
    whole = np.concatenate(parts, axis=1).astype(float)
    want = (whole - whole[fit].mean(0)) / whole[fit].std(0)
    acoustic = dataset.data.acoustic
    assert acoustic.shape == (COUNT, 1, 43)
    np.testing.assert_allclose(acoustic[here, 0], want[here], atol=1e-4)
    assert (acoustic[gone] == 0).all()
    assert dataset.layers == (1, 1)
    (said,) = check_inputs(prepared, config())
    assert said == "2 utterances with some of few and wide, but not all, count as without speech"


def test_one_set_is_as_before_and_several_have_names_and_fingerprints_of_their_own(prepared):
    one, both = config("few"), config()
    assert (both.inputs, both.prepared_inputs) == ("few + wide", ["few", "wide"])
    assert config(text="mlp", normalize="speaker").inputs == (
        "few by speaker + wide by speaker + we"
    )
    print_of = prepared.fingerprint_of
    assert print_of(both.prepared_inputs) == print_of(["few", "wide"]) != print_of(["few"])
    assert load_dataset(prepared, both).fingerprint == print_of(["few", "wide"])
    assert one.to_json() == dataclasses.replace(both, features="few").to_json()
    assert run_id({"config": one.to_json()}) != run_id({"config": both.to_json()})
    assert Config.from_json(both.to_json()) == both


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ("few+frames", "frames are sequences, which cannot stand beside others"),
        ("frames+few", "frames are sequences, which cannot stand beside others"),
        ("few+said", "'said' are of text"),
        ("few+gone", "no features of this name, found 'gone'"),
    ],
)
def test_what_cannot_stand_side_by_side_is_refused(prepared, features, said):
    with pytest.raises(DserError, match=said):
        check_inputs(prepared, config(features))


@pytest.mark.parametrize("features", ["few+", "+few", "few+few", "few++wide"])
def test_names_are_whole_and_each_once(features):
    with pytest.raises(DserError, match="expected a name, or several with"):
        config(features)
    assert side_by_side("few") == ["few"]


def test_each_is_measured_by_speaker(prepared):
    dataset = load_dataset(prepared, config("wide+few", normalize="speaker"))
    alone = load_dataset(prepared, config("few", normalize="speaker"))
    both = [row for row in range(COUNT) if row not in (3, 40, 41)]
    few = dataset.data.acoustic[both, 0, 40:]
    near = np.corrcoef(few.ravel(), alone.data.acoustic[both, 0].ravel())[0, 1]
    assert near > 0.99  # Row 41 is not in the mean of its speaker, as it lacks the other set.
    raw = load_dataset(prepared, config("few")).data.acoustic[both, 0]
    assert np.corrcoef(few.ravel(), raw.ravel())[0, 1] < near


def test_a_mean_of_layers_is_of_features_that_stand_alone(prepared):
    groups = [Group(config(mix_layers=True), product())]
    with pytest.raises(DserError, match="none of the features that stands alone is of several"):
        usable_groups(groups, prepared, skip=False)


def test_baselines_take_each_set_for_a_block_and_name_both(prepared):
    plan = plan_baselines(prepared, [config(text="mlp"), config("few", text="mlp")])
    names = {baseline.name: baseline for baseline in plan.values()}
    assert {"ridge (few + wide)", "ridge (few)", "kernel (few + wide + text)"} <= names.keys()
    both = names["ridge (few + wide)"]
    assert both.inputs == "few + wide"
    blocks = blocks_of(prepared, load_dataset(prepared, both.config, inputs=False), both)
    assert [block.shape for block in blocks] == [(COUNT, 3), (COUNT, 40)]
    dataset = load_dataset(prepared, both.config)
    for block in blocks:
        assert block[dataset.split.train].var(0).sum() == pytest.approx(1)
        assert (block[[3, 40, 41]] == 0).all()
    alone = names["ridge (few)"]
    (block,) = blocks_of(prepared, load_dataset(prepared, alone.config, inputs=False), alone)
    assert block.shape == (COUNT, 3)


def test_a_network_trains_on_them(prepared, tmp_path):
    groups = [Group(config(), paired_runs({"both": HParams()}, range(1)))]
    view = run_experiment(prepared.folder, tmp_path / "out", groups)
    (row,) = (row for row in view.rows if row.get("kind") is None)
    assert row["features"] == "few + wide"
    assert row["status"] == "ok"
    assert row["config"]["features"] == "few+wide"
    assert "ridge (speech), stretched" in {row["name"] for row in view.rows}
    assert view.manifest["inputs"].keys() >= {"few", "wide"}
