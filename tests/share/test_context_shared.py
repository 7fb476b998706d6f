"""A model with a context: kept, read, and used on turns that come one after the other."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from talking import CONFIG, COUNT, features, prepare_talk

import dser_jax
from dser_jax.data.dataset import load_dataset
from dser_jax.data.preparing import prepare
from dser_jax.experiment.running import sweep
from dser_jax.journal import read_journal
from dser_jax.plan.runs import RunSpec
from dser_jax.share.exporting import export
from dser_jax.share.forward import rows_of
from dser_jax.share.gathering import gather
from dser_jax.share.turns import TURNS
from dser_jax.system.errors import DataError, DserError
from dser_jax.training.hparams import HParams

SAID = np.random.default_rng(5).normal(2, 3, (COUNT, 3)).astype(np.float32)
"""Features of text."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    np.save(folder / "said.npy", SAID)
    made = prepare_talk(folder)
    return prepare(None, made.folder, text={"said_hsf": folder / "said.npy"})


@pytest.mark.parametrize(
    "changes",
    [
        {"context": "both", "normalize": "speaker"},
        {"context": "recurrent", "context_turns": 3, "text": None},
        {"context": "all", "acoustic": None},
        {"context": "same", "vectors": "said_hsf"},
    ],
    ids=lambda changes: changes["context"],
)
def test_what_is_shared_predicts_what_was_predicted(prepared, changes, tmp_path):
    config = replace(CONFIG, **changes)
    half_life = 8.0 if config.context == "recurrent" else 2.0
    spec = RunSpec("some", HParams(half_life=np.float32(half_life)), 0)
    journal = tmp_path / "journal"
    (row,) = sweep(prepared.folder, config, [spec], journal, keep_weights=True, baselines=False)
    want = read_journal(journal).arrays(row["run"])["test_pred"]

    made = export(gather(journal), tmp_path / "model")
    model = dser_jax.load(made)
    assert model.bundle.half_life == half_life
    dataset = load_dataset(prepared, config)
    utterances = prepared.utterances
    speech = None if config.acoustic is None else list(features()[:, None])
    texts = None if config.text is None else [utt.transcript for utt in utterances]
    if config.vectors != "we":
        texts = list(SAID[:, None])
    pred = model.predict(speech, texts, utterances).members[0]
    np.testing.assert_allclose(pred[dataset.split.test], want, atol=1e-4)

    # Without their places they are utterances on their own.
    alone = model.predict(speech, texts, [replace(u, dialogue=None) for u in utterances])
    first = np.array([utt.turn == 0 for utt in utterances])
    np.testing.assert_allclose(alone.members[0][first], pred[first], atol=1e-6)
    assert np.abs(alone.members[0] - pred)[~first].max() > 1e-4

    # The program that needs JAX alone has the context as an input.
    rows = rows_of(dataset.data, dataset.split.test, half_life)
    program = jax.export.deserialize(bytearray((made / "model.stablehlo").read_bytes()))
    given = [each for each in rows if each is not None]
    np.testing.assert_allclose(program.call(*given), want, atol=1e-4)


@pytest.fixture(scope="module")
def model(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    config = replace(CONFIG, context="all", normalize="speaker", max_epochs=1)
    specs = [RunSpec("some", HParams(), 0)]
    list(sweep(prepared.folder, config, specs, folder / "j", keep_weights=True, baselines=False))
    return export(gather(folder / "j"), folder / "model", stablehlo=False)


def test_too_few_recordings_of_a_speaker_are_refused(model):
    loaded = dser_jax.load(model)
    speech, texts = list(features()[:9, None]), ["word1"] * 9
    with pytest.raises(DserError, match=r"fewer than 10 rows: .*\(9\); .*give 10 recordings"):
        loaded.predict(speech, texts)


@pytest.mark.parametrize("name", TURNS)
def test_damage_is_named(model, name):
    whole = (model / name).read_bytes()
    try:
        (model / name).write_bytes(whole[:-1])
        with pytest.raises(DataError, match=name):
            dser_jax.load(model)
    finally:
        (model / name).write_bytes(whole)
