"""Features of text in the place of words: where they come from, and what networks get of them."""

import dataclasses
import json

import numpy as np
import pytest
from keras_reference import usual_promotion
from tiny import make_utterances

from dser_jax.config import LATER, Config
from dser_jax.corpora.utterances import Corpus
from dser_jax.data.dataset import load_dataset
from dser_jax.data.folder.manifest import read_manifest
from dser_jax.data.inputs import check_inputs, reads_features_of_text
from dser_jax.data.notices import lacking
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.experiment.running import run_experiment
from dser_jax.plan.groups import Group, product, usable_groups
from dser_jax.search.random import random_search
from dser_jax.search.space import Range, Space
from dser_jax.search.trials import setting
from dser_jax.stats.baselines.fitting import fit_baselines
from dser_jax.stats.baselines.inputs import blocks_of
from dser_jax.stats.baselines.planning import plan_baselines
from dser_jax.system.errors import DserError
from dser_jax.system.files.sealed import write_sealed
from dser_jax.training.hparams import HParams

COUNT = 30


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with features of speech and of text, two layers of the latter side by side."""
    folder = tmp_path_factory.mktemp("text")
    random = np.random.default_rng(0)
    utterances = make_utterances(COUNT, random)
    np.save(folder / "speech.npy", random.normal(size=(COUNT, 4)).astype(np.float32))
    np.save(folder / "text.npy", random.normal(3, 2, size=(COUNT, 6)).astype(np.float32))
    made = {"speech": folder / "speech.npy", "mini": folder / "text.npy"}
    prepare(Corpus("toy", utterances, (1.0, 5.0)), folder / "out", acoustic=made)
    manifest = read_manifest(folder / "out")
    manifest["features"]["mini"] |= {"half": "text", "layers": 2}
    manifest.pop("checksum", None)
    write_sealed(folder / "out" / "manifest.json", manifest)
    return load_prepared(folder / "out")


SMALL = {"features": "speech", "units": 3, "layers": 1, "fusion": (3, 2), "max_epochs": 2}


def config(**changes):
    return Config(**{"acoustic": "mlp", "text": "mlp", "vectors": "mini", **SMALL, **changes})


def test_a_text_half_gets_them_standardized_on_training_rows(prepared):
    dataset = load_dataset(prepared, config())
    assert reads_features_of_text(prepared, config())
    assert dataset.data.tokens is dataset.tokenizer is None
    assert (dataset.words, dataset.layers) == (0, (1, 2))
    assert dataset.data.text.shape == (COUNT, 1, 6)
    np.testing.assert_allclose(dataset.data.text[dataset.split.train, 0].mean(0), 0, atol=1e-5)
    assert dataset.inputs == "speech + mini"
    assert dataset.fingerprint == prepared.fingerprint_of(["speech", "mini"])
    assert check_inputs(prepared, config()) == []


def test_features_of_one_half_are_refused_for_the_other(prepared):
    with pytest.raises(DserError, match=r"'mini' are of text.*--vectors mini"):
        check_inputs(prepared, config(features="mini"))
    with pytest.raises(DserError, match=r"'speech' are of speech.*--features speech"):
        check_inputs(prepared, config(vectors="speech"))


def test_an_unknown_network_is_named_before_anything_is_trained(prepared):
    with pytest.raises(DserError, match="no acoustic network is called 'nn'; there are lstm, cnn"):
        usable_groups([Group(config(text="nn"))], prepared, skip=False)


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({}, "weight_decay", "rmsprop has no weight decay; --optimizer adamw has"),
        ({}, "embedding_dropout", "takes away words, and this network reads none"),
        ({"text": None}, "modality_dropout", "takes away one half of two"),
        ({}, "half_life", "--context all, same or both has them"),
        ({}, "weighting_setting", "the weighting fixed has no setting of its own"),
        ({"weighting": "mgda"}, "weighting_setting", "mgda has no setting of its own"),
    ],
)
def test_what_would_change_nothing_is_refused(prepared, changes, field, said):
    runs = product(**{field: [0.1]})
    with pytest.raises(DserError, match=said):
        usable_groups([Group(config(**changes), runs)], prepared, skip=False)
    search = random_search(Space({field: Range(0.1, 0.5)}), 3)
    with pytest.raises(DserError, match=said):
        usable_groups([Group(config(**changes), search=search)], prepared, skip=False)


def with_turns(prepared, dialogues, speakers):
    """The folder with every row a turn of a dialogue, so many in all, by so many speakers."""
    utterances = tuple(
        dataclasses.replace(utt, dialogue=str(i % dialogues), turn=i, speaker=str(i % speakers))
        for i, utt in enumerate(prepared.utterances)
    )
    manifest = {**prepared.manifest, "dialogues": dialogues}
    return dataclasses.replace(prepared, utterances=utterances, manifest=manifest)


@pytest.mark.parametrize(
    ("context", "dialogues", "speakers", "said"),
    [
        ("all", COUNT, 3, "--context all: no dialogue has a second turn; leave --context out"),
        ("recurrent", COUNT, 3, "--context recurrent: no dialogue has a second turn; leave"),
        ("same", 15, COUNT, "same: no dialogue has a second turn of the same speaker; --context"),
        ("both", 15, COUNT, "both: no dialogue has a second turn of the same speaker; --context"),
        ("all", 15, COUNT, None),
        ("both", 15, 5, None),
    ],
)
def test_a_context_that_no_turn_has_is_refused(prepared, context, dialogues, speakers, said):
    talk = with_turns(prepared, dialogues, speakers)
    if said is None:
        usable_groups([Group(config(context=context))], talk, skip=False)
    else:
        with pytest.raises(DserError, match=said):
            usable_groups([Group(config(context=context))], talk, skip=False)


def test_what_stands_in_for_missing_features_is_said_of_their_half(prepared):
    entries = {name: {**e, "missing": 2} for name, e in prepared.manifest["features"].items()}
    some = dataclasses.replace(prepared, manifest={**prepared.manifest, "features": entries})
    told = list(lacking(some))
    for name, half in (("speech", "speech"), ("mini", "text")):
        line = f"kept without {name}: 2 of 30 utterances; what reads {half} gets the mean of the "
        assert any(each.startswith(line) for each in told)


def test_a_mean_of_layers_is_of_features_that_have_some(prepared):
    turns = config(context_turns=3)
    with pytest.raises(DserError, match="--context-turns is of a recurrent context"):
        usable_groups([Group(turns)], prepared, skip=False)
    usable_groups([Group(config(mix_layers=True))], prepared, skip=False)
    words = config(mix_layers=True, text=None)
    with pytest.raises(DserError, match="none of the features is of several layers"):
        usable_groups([Group(words)], prepared, skip=False)


@pytest.mark.parametrize("changes", [{}, {"acoustic": None, "text": "attention"}])
def test_networks_train_on_them(prepared, tmp_path, changes):
    named = config(optimizer="adamw", mix_layers=True, **changes)
    rate = 0.2 if named.acoustic else 0.0
    runs = product(weight_decay=[0.0, 0.1], modality_dropout=[rate])
    with usual_promotion():  # Optax' Adam raises a number to the power of an integer.
        view = run_experiment(
            prepared.folder, tmp_path / "out", [Group(named, runs)], baselines=False, lanes=2
        )
    assert [row["status"] for row in view.rows] == ["ok"] * 2
    assert view.rows[1]["hparams"]["weight_decay"] == 0.1
    assert "weight_decay" not in view.rows[0]["hparams"]
    assert [setting(row, "weight_decay") for row in view.rows] == [0.0, 0.1]
    later = {name: value for name, value in HParams()._asdict().items() if name in LATER}
    assert {name: float(value) for name, value in later.items()} == LATER
    assert view.rows[0]["config"]["mix_layers"] is True
    assert view.rows[0]["test"] != view.rows[1]["test"]
    assert Config.from_json(json.loads(json.dumps(named.to_json()))) == named
    assert "mix_layers" not in Config().to_json()


def test_baselines_see_them_beside_tf_idf(prepared):
    """Functionals of them, standardized on training rows, are a block of their own."""
    plan = plan_baselines(prepared, [config(), config(vectors="we")])
    names = [each.name for each in plan.values() if each.model == "kernel" and not each.stretched]
    ours = ["mini + tf-idf", "text", "speech + mini + tf-idf", "speech + text"]
    assert names == ["kernel (speech)", *(f"kernel ({inputs})" for inputs in ours)]
    found = {row["name"]: (dataset, row) for dataset, row, _ in fit_baselines(prepared, plan)}
    dataset, row = found["kernel (speech + mini + tf-idf)"]
    assert row["features"] == "speech + mini + tf-idf"
    both = next(each for each in plan.values() if each.name == "kernel (mini + tf-idf)")
    said, words = blocks_of(prepared, dataset, both)
    train = dataset.split.train
    np.testing.assert_allclose(said[train].mean(0), 0, atol=1e-9)
    for block in (said, words.toarray()):
        assert block[train].var(0).sum() == pytest.approx(1, abs=1e-9)
    assert said.shape[1] == 6
    # Baselines of words alone are those of before.
    before = plan_baselines(prepared, [config(vectors="we")])
    assert {run: plan[run].name for run in before} == {r: b.name for r, b in before.items()}


def test_without_a_word_baselines_see_them_alone(prepared):
    mute = [dataclasses.replace(each, transcript=None) for each in prepared.utterances]
    prepared = dataclasses.replace(prepared, utterances=tuple(mute))
    plan = plan_baselines(prepared, [config(acoustic=None)])
    assert "ridge (mini), stretched" in [each.name for each in plan.values()]
    rows = [row for _, row, _ in fit_baselines(prepared, plan)]
    assert {row["features"] for row in rows} == {"", "mini"}


def test_baselines_of_features_that_never_vary_are_level_with_the_mean(prepared, monkeypatch):
    same = np.ones((COUNT, 6), np.float32)
    read = type(prepared).feature
    monkeypatch.setattr(
        type(prepared), "feature", lambda self, n: (same, None) if n == "mini" else read(self, n)
    )
    plan = plan_baselines(prepared, [config(acoustic=None)])
    for _, row, arrays in fit_baselines(prepared, plan):
        assert np.isfinite(arrays["test_pred"]).all(), row["name"]
