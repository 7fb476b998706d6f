"""Baselines: held against hand-worked values, closed forms and scikit-learn itself."""

import csv
import dataclasses
import io
import math
import re

import numpy as np
import pytest
from fabricated import fabricate
from rich.console import Console
from scipy import sparse
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVR
from talking import prepare_talk
from tiny import CONFIG

from dser_jax.config import Config
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.dataset import load_dataset
from dser_jax.data.preparing import prepare
from dser_jax.data.rows.features import functionals
from dser_jax.experiment import running as experiment
from dser_jax.experiment.running import run_experiment
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.plan.groups import Group
from dser_jax.plan.names import run_id
from dser_jax.report.captions import verdict
from dser_jax.report.text import Asked
from dser_jax.report.writing import write_report
from dser_jax.stats.baselines import fitting, models
from dser_jax.stats.baselines.fitting import fit_baselines, stretch
from dser_jax.stats.baselines.inputs import blocks_of
from dser_jax.stats.baselines.models import ALPHAS, COSTS, EPSILON, MODELS, PENALTIES
from dser_jax.stats.baselines.planning import Baseline, check_baselines, plan_baselines
from dser_jax.stats.table import tables
from dser_jax.system.errors import DserError
from dser_jax.training.metrics import ccc

WORDS = ["awful", "bad", "poor", "plain", "fair", "good", "great"]
SESSIONS, EACH = 4, 20
SPEECH = dataclasses.replace(CONFIG, text=None)
TEXT = dataclasses.replace(CONFIG, acoustic=None)


def make_data(folder, *, shuffle_test=False, missing=True):
    """Utterances whose words tell the valence and whose features the arousal; some labels lack."""
    random = np.random.default_rng(0)
    count = SESSIONS * EACH
    gold = np.round(random.uniform(1, 5, (count, 3)), 2)
    features = gold[:, [1, 2]] + random.normal(0, 0.5, (count, 2))
    features = np.concatenate([features, random.normal(3, 2, (count, 2)), np.ones((count, 1))], 1)
    features[-EACH:] += 4  # the test session is unlike the others
    texts = [f"it was {WORDS[int((v - 1) / 4.01 * len(WORDS))]}" for v in gold[:, 0]]
    texts[-1] = "unheard of"
    if shuffle_test:
        gold[-EACH:] = random.permutation(gold[-EACH:])
    if missing:
        gold[::7, 1] = math.nan
        gold[:, 2] = math.nan
    utterances = tuple(
        Utterance(
            f"Ses{1 + i // EACH:02d}_{i:03d}",
            speaker=f"Ses{1 + i // EACH:02d}{'FM'[i % 2]}",
            session=f"Ses{1 + i // EACH:02d}",
            transcript=text,
            valence=v,
            arousal=a,
            dominance=d,
        )
        for i, (text, (v, a, d)) in enumerate(zip(texts, gold.tolist(), strict=True))
    )
    folder.mkdir(exist_ok=True)
    np.save(folder / "toy.npy", features.astype(np.float32))
    frames = random.normal(1, 2, (count, 6, 3)).astype(np.float32)
    np.save(folder / "lld.npy", frames)
    corpus = Corpus("toy", utterances, (1.0, 5.0))
    acoustic = {"toy_hsf": folder / "toy.npy", "toy_lld": folder / "lld.npy"}
    return prepare(corpus, folder / "prepared", acoustic=acoustic)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


def fit(prepared, *configs):
    """Fits all baselines of some networks: name -> (row, arrays, data set)."""
    plan = plan_baselines(prepared, configs)
    return {row["name"]: (row, arrays, data) for data, row, arrays in fit_baselines(prepared, plan)}


@pytest.fixture(scope="module")
def fitted(prepared):
    return fit(prepared, CONFIG)


# Stretching


def test_stretching_by_hand():
    # Predictions on validation: mean 2, deviation 1. Labels: mean 0, deviation 0.5.
    validation_pred, gold = np.array([1.0, 3.0, 9.0]), np.array([-0.5, 0.5, np.nan])
    found = stretch(np.array([1.0, 2.0, 3.0, 6.0]), validation_pred, gold)
    np.testing.assert_allclose(found, [-0.5, 0, 0.5, 2], atol=1e-9)


def test_stretching_what_never_varies_only_shifts_it():
    gold = np.array([0.2, 0.4])
    np.testing.assert_allclose(
        stretch(np.full(2, 0.7), np.full(2, 0.7), gold), [0.3, 0.3], atol=1e-9
    )
    np.testing.assert_array_equal(stretch(gold, gold, np.full(2, np.nan)), gold)


def test_stretched_predictions_have_the_mean_and_deviation_of_the_labels(fitted):
    stretched = [name for name in fitted if name.endswith(", stretched")]
    assert len(stretched) == 9
    for name in stretched:
        _, arrays, dataset = fitted[name]
        gold, pred = dataset.gold("validation"), arrays["validation_pred"]
        for column in (0, 1):
            known = np.isfinite(gold[:, column])
            assert known.sum() < len(gold) or column == 0
            labels, guesses = gold[known, column], pred[known, column]
            assert guesses.mean() == pytest.approx(labels.mean(), abs=1e-12)
            assert guesses.std() == pytest.approx(labels.std(), abs=1e-12)


# Models


def test_the_mean_of_the_training_labels_has_no_concordance(fitted):
    row, arrays, dataset = fitted["mean"]
    gold = dataset.gold("train")
    for part in ("validation", "test"):
        assert row[part]["ccc"] == {"valence": 0, "arousal": 0, "mean": 0}
        for column in (0, 1):
            mean = np.nanmean(gold[:, column])
            np.testing.assert_allclose(arrays[f"{part}_pred"][:, column], mean, atol=1e-9)
    assert row["chosen"] == {}


def test_ridge_is_the_closed_form_on_the_rows_with_labels():
    random = np.random.default_rng(1)
    x, gold = random.normal(size=(40, 3)), random.normal(size=(40, 3))
    gold[:5, 1] = gold[:, 2] = np.nan
    train, rows = np.arange(20, 40), np.arange(20)
    preds = models._ridge([x], gold[train], train, rows)
    gold[22, 1] = np.nan
    preds_less = models._ridge([x], gold[train], train, rows)
    np.testing.assert_allclose(preds_less[:, :, 0], preds[:, :, 0], atol=1e-9)
    for column, known in ((0, train), (1, train[train != 22])):
        y = gold[known, column]
        centred = x[known] - x[known].mean(0)
        for alpha, pred in zip(ALPHAS, preds_less, strict=True):
            inverse = np.linalg.inv(centred.T @ centred + alpha * np.eye(3))
            weights = inverse @ centred.T @ (y - y.mean())
            want = (x[rows] - x[known].mean(0)) @ weights + y.mean()
            np.testing.assert_allclose(pred[:, column], want, atol=1e-9)
    assert (preds[:, :, 2] == 0).all()


@pytest.mark.parametrize("halves", [1, 2])
def test_svr_is_that_of_scikit_learn(halves, monkeypatch):
    monkeypatch.setattr(models, "CHUNK", 7)
    random = np.random.default_rng(2)
    x = random.normal(size=(60, 4))
    gold = random.normal(0.1, 0.3, (60, 3)) + 0.2 * x[:, :3]
    gold[:9, 1] = np.nan
    gold[:, 2] = 0.4
    train, rows = np.arange(40), np.arange(40, 60)
    blocks = [x[:, :2], sparse.csr_matrix(x[:, 2:])][:halves]
    preds = models._svr(blocks, gold[train], train, rows)
    seen = x[:, : 2 * halves]
    for column in (0, 1):
        known = train[np.isfinite(gold[train, column])]
        y = gold[known, column]
        for at, cost in enumerate(COSTS):
            model = SVR(C=cost, epsilon=EPSILON, gamma=1 / halves)
            model.fit(seen[known], (y - y.mean()) / y.std())
            want = model.predict(seen[rows]) * y.std() + y.mean()
            np.testing.assert_allclose(preds[at, :, column], want, atol=1e-3)
    np.testing.assert_allclose(preds[:, :, 2], 0.4, atol=1e-9)


def test_svr_trains_on_so_many_rows_at_most(monkeypatch):
    random = np.random.default_rng(3)
    x, gold = random.normal(size=(30, 2)), random.normal(size=(30, 3))
    some, rows = np.arange(0, 30, 2), np.arange(4)
    want = models._svr([x], gold[:29:2], some, rows)
    monkeypatch.setattr(models, "SVR_ROWS", 15)
    found = models._svr([x], gold[:29], np.arange(29), rows)
    np.testing.assert_allclose(found, want, atol=1e-9)


@pytest.mark.parametrize("halves", [1, 2])
def test_kernel_ridge_is_that_of_scikit_learn(halves, monkeypatch):
    """On the mean of the kernels of the halves; of one half it is the usual RBF kernel ridge."""
    monkeypatch.setattr(models, "CHUNK", 7)
    random = np.random.default_rng(2)
    x = random.normal(size=(60, 4))
    gold = random.normal(0.1, 0.3, (60, 3)) + 0.2 * x[:, :3]
    gold[:9, 1] = gold[:, 2] = np.nan
    train, rows = np.arange(40), np.arange(40, 60)
    blocks = [x[:, :2], sparse.csr_matrix(x[:, 2:])][:halves]
    preds = models._kernel_ridge(blocks, gold[train], train, rows)
    alike = np.mean([rbf_kernel(x[:, at : at + 2], gamma=1.0) for at in (0, 2)[:halves]], axis=0)
    for column in (0, 1):
        known = train[np.isfinite(gold[train, column])]
        y = gold[known, column]
        for at, alpha in enumerate(PENALTIES):
            model = KernelRidge(alpha=alpha, kernel="precomputed")
            model.fit(alike[np.ix_(known, known)], y - y.mean())
            want = model.predict(alike[np.ix_(rows, known)]) + y.mean()
            np.testing.assert_allclose(preds[at, :, column], want, atol=1e-6)
            if halves == 1:
                one = KernelRidge(alpha=alpha, kernel="rbf", gamma=1.0)
                one.fit(x[known, :2], y - y.mean())
                want = one.predict(x[rows, :2]) + y.mean()
                np.testing.assert_allclose(preds[at, :, column], want, atol=1e-6)
    assert (preds[:, :, 2] == 0).all()


def test_without_a_label_there_is_nothing_to_fit(fitted):
    dataset = fitted["mean"][2]
    unknown = dataset.data._replace(known=np.zeros_like(dataset.data.known))
    dataset = dataclasses.replace(dataset, data=unknown)
    for model, grid in models.GRIDS.items():
        tried = models.candidates_of(model, [np.eye(SESSIONS * EACH)], dataset)
        assert tried.shape == (len(grid), 2 * EACH, 3)
        assert (tried == 0).all()


def test_kernel_ridge_trains_on_so_many_rows_at_most(monkeypatch):
    random = np.random.default_rng(3)
    x, gold = random.normal(size=(30, 2)), random.normal(size=(30, 3))
    some, rows = np.arange(0, 30, 2), np.arange(4)
    want = models._kernel_ridge([x], gold[:29:2], some, rows)
    monkeypatch.setattr(models, "KERNEL_ROWS", 15)
    found = models._kernel_ridge([x], gold[:29], np.arange(29), rows)
    np.testing.assert_allclose(found, want, atol=1e-9)


def test_the_setting_is_that_of_the_best_ccc_on_validation(prepared, fitted):
    row, arrays, dataset = fitted["ridge (speech + text)"]
    stretched = fitted["ridge (speech + text), stretched"]
    blocks = blocks_of(prepared, dataset, Baseline("", "ridge", CONFIG, True, True))
    tried = models.candidates_of("ridge", blocks, dataset)
    gold = dataset.gold("validation")
    assert set(row["chosen"]) == {"valence", "arousal"}
    for column, attr in enumerate(row["chosen"]):
        known = np.isfinite(gold[:, column])
        found = [ccc(gold[known, column], p[: len(gold), column][known]) for p in tried]
        at = int(np.argmax(found))
        assert row["chosen"][attr] == ALPHAS[at]
        assert row["validation"]["ccc"][attr] == pytest.approx(max(found), abs=1e-9)
        pred = np.concatenate([arrays["validation_pred"], arrays["test_pred"]])
        np.testing.assert_allclose(pred[:, column], tried[at][:, column], atol=1e-9)
        # A stretched row chooses for itself.
        assert stretched[0]["validation"]["ccc"][attr] >= row["validation"]["ccc"][attr]
        at = ALPHAS.index(stretched[0]["chosen"][attr])
        want = stretch(tried[at][:, column], tried[at][: len(gold), column], gold[:, column])
        np.testing.assert_allclose(
            stretched[1]["test_pred"][:, column], want[len(gold) :], atol=1e-9
        )


def test_speech_and_text_are_told_apart(fitted):
    speech, text, both = (
        fitted[f"ridge ({inputs}), stretched"][0]["validation"]["ccc"]
        for inputs in ("speech", "text", "speech + text")
    )
    assert text["valence"] > 0.8 > 0.5 > speech["valence"]
    assert speech["arousal"] > 0.8 > 0.5 > text["arousal"]
    assert both["mean"] > max(speech["mean"], text["mean"])


# Labels and rows


def test_labels_of_the_test_change_no_prediction(prepared, fitted, tmp_path):
    shuffled = fit(make_data(tmp_path / "shuffled", shuffle_test=True), CONFIG)
    assert shuffled["mean"][2].truth != fitted["mean"][2].truth
    for name, (row, arrays, _) in fitted.items():
        other_row, other_arrays, _ = shuffled[name]
        assert other_row["chosen"] == row["chosen"]
        assert other_row["validation"] == row["validation"]
        for part, pred in arrays.items():
            np.testing.assert_array_equal(other_arrays[part], pred)


def test_what_validation_cannot_tell_is_the_middle_of_the_grid(fitted):
    _, _, dataset = fitted["mean"]
    dataset = dataclasses.replace(
        dataset, data=dataset.data._replace(known=np.zeros_like(dataset.data.known))
    )
    tried = np.arange(5.0)[:, None, None] * np.ones((5, 2 * EACH, 3))
    for stretched in (False, True):
        chosen, validation_pred, test_pred = fitting._choose(tried, dataset, stretched)
        assert chosen == {"valence": 2, "arousal": 2}
        assert (validation_pred == 2).all()
        assert (test_pred == 2).all()


def test_attributes_without_labels_are_the_middle_of_the_scale_and_have_no_score(fitted):
    for row, arrays, _ in fitted.values():
        assert set(row["test"]["ccc"]) == {"valence", "arousal", "mean"}
        assert (arrays["test_pred"][:, 2] == 0).all()


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_scaler_and_vocabulary_are_fitted_where_the_protocol_says(prepared, protocol):
    config = dataclasses.replace(CONFIG, protocol=protocol)
    dataset = load_dataset(prepared, config, inputs=False)
    speech, text = blocks_of(prepared, dataset, Baseline("", "ridge", config, True, True))
    rows = dataset.split.train if protocol == "strict" else np.arange(SESSIONS * EACH)
    np.testing.assert_allclose(speech[rows].mean(0), 0, atol=1e-12)
    columns = 4 if protocol == "strict" else 5  # one does not vary in training
    np.testing.assert_allclose(speech[rows].std(0), columns**-0.5, atol=1e-9)
    assert text.toarray()[rows].var(0).sum() == pytest.approx(1, abs=1e-9)
    words = 2 + len(WORDS) + (2 if protocol == "paper" else 0)
    assert text.shape[1] == words
    assert dataset.data.acoustic is dataset.data.tokens is None


def test_sequences_are_taken_by_mean_and_deviation_over_frames(prepared):
    config = dataclasses.replace(SPEECH, features="toy_lld")
    values, offsets = prepared.feature("toy_lld")
    found, there = functionals(*prepared.feature(config.features))
    assert there.all()
    assert found.shape == (SESSIONS * EACH, 6)
    frames = np.asarray(values[offsets[4] : offsets[5]])
    np.testing.assert_allclose(found[4], [*frames.mean(0), *frames.std(0)], atol=1e-6)


def test_transcripts_without_a_word_are_said(tmp_path):
    mute = tuple(
        Utterance(f"{i}", session=f"s{i % 3}", transcript="...", valence=1.0 + i % 4)
        for i in range(12)
    )
    folder = prepare(Corpus("mute", mute, (1.0, 5.0)), tmp_path / "out")
    with pytest.raises(DserError, match="tf-idf of the transcripts: empty vocabulary"):
        fit(folder, TEXT)


# Plans


def names(prepared, *configs):
    return [each.name for each in plan_baselines(prepared, configs).values()]


def test_baselines_see_what_the_networks_see(prepared):
    kinds = ("ridge", "svr", "kernel")
    speech = ["mean", *(f"{m} (speech){s}" for m in kinds for s in ("", ", stretched"))]
    assert names(prepared, SPEECH) == speech
    assert names(prepared, TEXT) == [name.replace("speech", "text") for name in speech]
    assert len(names(prepared, SPEECH, TEXT)) == 13
    whole = names(prepared, CONFIG)
    assert len(whole) == 19
    assert names(prepared, SPEECH, TEXT, CONFIG) == whole
    assert {"svr (speech + text), stretched", "kernel (speech + text)"} < set(whole)
    wider = dataclasses.replace(CONFIG, units=9, vectors="other")
    assert plan_baselines(prepared, [CONFIG, wider]) == plan_baselines(prepared, [CONFIG])
    assert list(plan_baselines(prepared, [wider])) == list(plan_baselines(prepared, [CONFIG]))


def test_several_features_are_told_apart(prepared):
    frames = dataclasses.replace(CONFIG, features="toy_lld")
    found = names(prepared, SPEECH, frames)
    assert len(found) == len(set(found)) == 1 + 3 * 2 * 4
    assert {"ridge (toy_hsf)", "svr (toy_lld)", "ridge (toy_lld + text), stretched"} < set(found)
    assert "ridge (toy_hsf + text)" not in found


def test_the_turns_before_are_one_more_input(tmp_path):
    prepared = prepare_talk(tmp_path)
    place = {"features": "toy_hsf", "acoustic": "dense", "text": "dense"}
    plain, recurrent = Config(**place), Config(**place, context="recurrent")
    own = Config(**place, context="same", normalize="speaker")
    assert names(prepared, plain)[-1] == "kernel (speech + text), stretched"
    assert names(prepared, recurrent)[-1] == "kernel (speech + text + context), stretched"
    assert names(prepared, own)[1] == "ridge (speech by speaker + same-speaker context)"
    assert names(prepared, recurrent) == names(
        prepared, dataclasses.replace(recurrent, context="all")
    )
    plan = plan_baselines(prepared, [plain, recurrent, own])
    assert len(plan) == 3 * 18 + 1
    some = ("mean", "ridge (text", "ridge (speech + text")
    wanted = {run: each for run, each in plan.items() if each.name.startswith(some)}
    rows = {row["name"]: row for _, row, _ in fit_baselines(prepared, wanted)}
    # Here a turn tells the valence of the next one.
    beside, alone = (
        rows[f"ridge ({seen}), stretched"]["validation"]["ccc"]["valence"]
        for seen in ("text + context", "text")
    )
    assert beside > alone + 0.2
    assert rows["ridge (text + context)"]["features"] == "tf-idf + context"


def test_protocols_and_splits_have_their_own(prepared):
    paper = dataclasses.replace(SPEECH, protocol="paper")
    first = dataclasses.replace(SPEECH, split="session:Ses01")
    plan = plan_baselines(prepared, [SPEECH, paper, first])
    assert len(plan) == 21
    rows = [row for _, row, _ in fit_baselines(prepared, plan)]
    assert [row["run"] for row in rows] == list(plan)
    assert len({(row["protocol"], row["split"], row["truth"]) for row in rows}) == 3


def test_a_row_says_what_it_is(fitted):
    for name, (row, arrays, _) in fitted.items():
        assert (row["kind"], row["seed"], row["status"]) == ("baseline", 0, "ok")
        assert row["network"] == name.split(" ")[0]
        assert row["hparams"] == MODELS[row["network"]]
        assert row["config"]["stretched"] == name.endswith("stretched")
        assert set(arrays) == {"validation_pred", "test_pred"}
    assert fitted["mean"][0]["features"] == ""
    assert fitted["svr (speech + text)"][0]["features"] == "toy_hsf + tf-idf"


def test_a_name_means_one_thing(prepared, fitted):
    plan = plan_baselines(prepared, [CONFIG])
    rows = [row for row, _, _ in fitted.values()]
    check_baselines(plan, ["mine"], rows)
    with pytest.raises(DserError, match="'mean' is the name of a baseline"):
        check_baselines(plan, ["mine", "mean"], rows)
    old = {**rows[1], "run": "old", "hparams": {"alpha": [1.0]}}
    with pytest.raises(DserError, match=r"'ridge \(speech\)' with other settings \(alpha \[1.0\]"):
        check_baselines(plan, [], [old])
    check_baselines(plan, [], [old | {"config": old["config"] | {"split": "column"}}])


def test_a_baseline_of_before_keeps_its_id(prepared):
    """What a journal has is not fitted again: those that were planned later are added to it."""
    plan = plan_baselines(prepared, [SPEECH])
    for run, baseline in plan.items():
        hparams = {"ridge": {"alpha": list(ALPHAS)}, "mean": {}}.get(baseline.model)
        if hparams is not None:
            identity = {"config": baseline.to_json(), "hparams": hparams}
            data = prepared.fingerprint_of(baseline.prepared_inputs)
            assert run == run_id(identity | {"data": data})


# In experiments


def without(prepared, configs):
    plan = plan_baselines(prepared, configs)
    return {run: each for run, each in plan.items() if each.model != "kernel"}


def test_an_experiment_fits_them_once(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "update_intervals", lambda view: [])
    groups = [Group(SPEECH, ())]
    assert run_experiment(prepared.folder, tmp_path, groups, baselines=False).rows == ()
    view = run_experiment(prepared.folder, tmp_path, groups)
    assert [row["name"] for row in view.rows] == names(prepared, SPEECH)
    assert view.manifest["planned"] == []
    row = view.rows[-1]
    gold, pred = view.truth(row["truth"])["test_gold"], view.arrays(row["run"])["test_pred"]
    known = np.isfinite(gold[:, 1])
    assert row["test"]["ccc"]["arousal"] == pytest.approx(
        ccc(gold[known, 1], pred[known, 1]), abs=1e-9
    )

    # As a journal is that was made before there was kernel ridge.
    monkeypatch.setattr(experiment, "plan_baselines", lambda *given: without(*given))
    older = run_experiment(prepared.folder, tmp_path / "older", groups)
    assert len(older.rows) == 5
    monkeypatch.undo()
    monkeypatch.setattr(experiment, "update_intervals", lambda view: [])
    newer = run_experiment(prepared.folder, tmp_path / "older", groups)
    assert newer.rows[:5] == older.rows
    assert {row["run"] for row in newer.rows} == {row["run"] for row in view.rows}

    monkeypatch.setattr(fitting, "candidates_of", None)
    again = run_experiment(prepared.folder, tmp_path, groups)
    assert again.rows == view.rows


# In reports


def summarised(network, means, *more, **entries):
    """Rows of one name, a seed each, with these mean CCCs on test and on validation."""
    rows = []
    for seed, mean in enumerate(means):
        ccc_ = {"valence": mean, "mean": mean}
        row = {"run": f"{network}{seed}".replace(" ", "_"), "name": network, "network": network}
        row |= {"seed": seed, "status": "ok", "features": "x", "truth": "k", "split": "s"}
        row |= {"corpus": "toy", "protocol": "strict", "config": {}, "hparams": {}, **entries}
        row |= {"test": {"ccc": ccc_, "ccc_batch32": ccc_}}
        rows.append(row | {"validation": {"ccc": {"mean": more[0] if more else mean}}})
    return rows


BASELINES = (
    *summarised("mean", [0.0], kind="baseline"),
    *summarised("ridge", [0.5], 0.7, kind="baseline"),
    *summarised("svr", [0.6], 0.6, kind="baseline"),
)


def test_tables_part_networks_from_baselines():
    rows = [*BASELINES, *summarised("ours", [0.55, 0.57])]
    (table,) = tables(rows)
    assert [row.name for row in table.rows] == ["ours"]
    assert [row.name for row in table.baselines] == ["mean", "ridge", "svr"]
    assert [row.name for row in table.everything] == ["ours", "mean", "ridge", "svr"]
    assert len(table.runs) == 5
    assert table.best() == "ours"
    assert table.best(baselines=True) == "svr"
    assert table.comparisons() == ()
    # Validation chooses, not the test.
    assert table.yardstick.name == "ridge"
    assert tables(rows, "ccc_batch32")[0].yardstick.name == "ridge"
    assert tables(summarised("ours", [0.5]))[0].yardstick is None


def test_the_verdict_says_who_does_not_beat_the_baseline():
    networks = {
        "low": [0.4, 0.44],
        "one": [0.51],
        "wide": [0.4, 0.7],
        "high": [0.600, 0.601, 0.602],
    }
    rows = [row for name, means in networks.items() for row in summarised(name, means)]
    (table,) = tables([*rows, *BASELINES])
    assert verdict(table) == (
        "'low' does not beat 'ridge': .420 against .500. "
        "'one' has a higher mean than 'ridge': .510 against .500, but from one run alone. "
        "'wide' has a higher mean than 'ridge': .550 against .500, but not with the whole of its "
        "95% interval over seeds. "
        "'high' beats 'ridge': .601 against .500, with the whole of its 95% interval over seeds. "
        "Of the baselines, 'ridge' has the highest mean CCC on validation."
    )
    assert verdict(tables(rows)[0]) == ""
    assert verdict(tables(BASELINES)[0]) == ""


def test_the_verdict_on_several_and_on_many():
    few = [row for at in range(3) for row in summarised(f"n{at}", [0.1 * at])]
    said = verdict(tables([*few, *BASELINES])[0])
    assert said.startswith(
        "'n0' (.000), 'n1' (.100) and 'n2' (.200) do not beat 'ridge' (.500). Of"
    )
    many = [row for at in range(20) for row in summarised(f"n{at}", [0.01 * at])]
    said = verdict(tables([*many, *BASELINES])[0])
    assert said.startswith("20 names do not beat 'ridge': .190 at most ('n19') against .500. Of")


@pytest.fixture
def journal(tmp_path):
    fabricate(tmp_path / "j", planned=15)
    arrays = read_journal(tmp_path / "j").arrays(read_journal(tmp_path / "j").rows[0]["run"])
    arrays = {name: arrays[name] for name in ("validation_pred", "test_pred")}
    with Journal.open(tmp_path / "j", read_journal(tmp_path / "j").manifest) as journal:
        for row in BASELINES:
            row |= {"corpus": "demo", "split": "last session", "run": f"b{row['run']}"}
            journal.commit(row, arrays)
    return tmp_path / "j"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_report_has_baselines_below_a_rule(journal, encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    asked = Asked(everything=True, batch32=True)
    write_report(journal, console=Console(file=stream, width=80), draw=False, asked=asked)
    said = raw.getvalue().decode(encoding)
    assert "15 of 15 runs finished" in said
    assert "15 runs, seeds 0" in " ".join(said.split())
    assert "Below the rule: baselines, each fitted once" in " ".join(said.split())
    assert " ".join(said.split()).count("the highest mean CCC on validation") == 2
    lines = said.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip(" |").startswith("mean  "))
    assert set(lines[at - 1]) <= set(" ─|-+")
    assert " .500 " in lines[at + 1]
    assert not re.search(r"±|\+/-", " ".join(lines[at : at + 3]))
    assert "'ridge' − " not in said

    text = (journal / "report/report.md").read_text("utf-8")
    assert text.count("| *baselines* |  |") == 2
    assert "| ridge | ridge | x | .500 | – | – | .500 | 1 |" in text
    assert text.count("Of the baselines, 'ridge' has the highest mean CCC on validation.") == 2
    latex = (journal / "report/table.tex").read_text("utf-8")
    assert latex.count(r"\midrule") == 4
    assert latex.count(r"{\footnotesize") == 2
    tidy = csv.DictReader((journal / "report/table.csv").read_text("utf-8").splitlines())
    assert [line["kind"] for line in tidy if line["name"] == "ridge"] == ["baseline"] * 5
    runs = csv.DictReader((journal / "report/runs.csv").read_text("utf-8").splitlines())
    kinds = [line["kind"] for line in runs]
    assert kinds[:18] == ["network"] * 15 + ["baseline"] * 3
    assert set(kinds[18:]) == {"stretched", "ensemble", "ensemble, stretched"}
    assert "ridge" not in (journal / "report/tests.csv").read_text("utf-8")


def test_learning_curves_leave_them_out(journal, tmp_path):
    from dser_jax.report import figures

    view = read_journal(journal)
    assert len(figures.learning_curves(view, tmp_path / "curves")) == 2
    rows = [row for row in view.rows if row.get("kind") == "baseline"]
    assert len(rows) == 3
    assert figures.learning_curves(view, tmp_path / "none", rows) == []


def test_a_report_of_baselines_alone(tmp_path):
    with Journal.open(tmp_path / "j", {"planned": ["a"]}) as journal:
        for row in BASELINES:
            journal.commit(row, {"test_pred": np.zeros((2, 3))})
    assert write_report(tmp_path / "j", console=Console(file=io.StringIO()), draw=True)
    assert "0 of 1 run finished" in (tmp_path / "j/report/report.md").read_text("utf-8")
