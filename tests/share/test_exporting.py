"""A journal's networks as a folder: three seeds on two dozen beeps, exported and used elsewhere."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.export
import numpy as np
import pytest
import soundfile
import yaml
from rewritten import rewrite
from untrained import make_model

import dser_jax
from dser_jax.cli import main
from dser_jax.config import Config
from dser_jax.data.prepared import load_prepared
from dser_jax.features.audio import RATE
from dser_jax.features.tokenizer import Tokenizer
from dser_jax.journal.reading import JournalView, read_journal
from dser_jax.share.baseline import baseline_of
from dser_jax.share.bundle import Bundle, Member, program_names, read_bundle
from dser_jax.share.card import make_card
from dser_jax.share.choice import Choice, choose
from dser_jax.share.exporting import export
from dser_jax.share.forward import Networks, encode
from dser_jax.share.gathering import gather
from dser_jax.share.stablehlo import export_networks
from dser_jax.stats.derived.stretching import Stretch
from dser_jax.stats.derived.view import with_derived
from dser_jax.system import FolderLock, read_sealed
from dser_jax.system.errors import DserError

ROOT = Path(__file__).parents[2]
ROWS = 24
WORDS = ["awful", "bad", "plain", "good", "great"]
TINY = (
    *("--units", "3", "--layers", "1", "--embedding-dim", "3", "--text-dense", "3"),
    *("--fusion", "4", "3", "--max-tokens", "4", "--batch-size", "8", "--max-epochs", "2"),
)


def beep(pitch: float, loudness: float, seconds: float = 0.4) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(round(pitch)).normal(0, 0.01, len(time))
    return loudness * np.sin(2 * np.pi * pitch * time) + noise


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Beeps of which the loudness tells the arousal and a word the valence: prepared, trained."""
    folder = tmp_path_factory.mktemp("beeps")
    random = np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "transcript", "valence", "arousal", "dominance", "split"])
        for i, (v, a, d) in enumerate(random.uniform(1, 5, (ROWS, 3))):
            soundfile.write(folder / f"{i:02d}.wav", beep(100 + 80 * d, a / 6), RATE)
            word = WORDS[round(v) - 1]
            split = ["train", "train", "dev", "test"][i % 4]
            writer.writerow([f"{i:02d}.wav", f"it was {word}", v, a, d, split])
    prepare = ["prepare", "--corpus", "table", str(folder / "labels.csv"), "--scale", "1", "5"]
    data = str(folder / "data")
    main([*prepare, "--features", "paa_hsf", "--out", data, "--jobs", "1"])
    sweep = ["sweep", "--data", data, "--split", "column", "--no-baselines", *TINY]
    sweep += ["--acoustic", "dense", "--text", "dense"]  # An LSTM takes long to compile.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dser_jax.experiment.conducting.write_report", lambda out: None)
        main([*sweep, "--out", str(folder / "kept"), "--seeds", "3", "--keep-weights"])
    shutil.copytree(folder / "kept", folder / "not kept")
    shutil.rmtree(folder / "not kept" / "params")
    return folder


@pytest.fixture(scope="module")
def model(folder) -> Path:
    main(["export", str(folder / "kept"), "--ensemble", "--out", str(folder / "model")])
    return folder / "model"


def predictions(folder: Path, journal: str = "kept") -> tuple[list[str], dict[str, np.ndarray]]:
    """What the journal has: the ids of the test utterances, and each run's predictions."""
    view = read_journal(folder / journal)
    truth = view.truth(view.rows[0]["truth"])
    return truth["test_ids"].tolist(), {
        row["run"]: view.arrays(row["run"])["test_pred"] for row in view.rows
    }


def python(code: str, *arguments: object) -> str:
    """Runs a program in a process of its own; returns what it prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stretched_model_predicts_what_its_row_scored(folder, tmp_path, capsys):
    """Of the ensemble and of one network: in the package and as programs."""
    view = with_derived(read_journal(folder / "kept"), [])
    rows = {(row["kind"], row["seed"]): row for row in view.derived}
    ids = view.truth(view.rows[0]["truth"])["test_ids"].tolist()
    utterances = {utt.id: utt for utt in load_prepared(folder / "data").utterances}
    texts = [utterances[i].transcript for i in ids]
    for which, kind in (("--ensemble", "ensemble, stretched"), ("--best", "stretched")):
        out = tmp_path / which[2:]
        main(["export", str(folder / "kept"), which, "--stretch", "--out", str(out)])
        assert "stretched on validation" in capsys.readouterr().out
        assert "Its predictions are stretched" in (out / "README.md").read_text("utf-8")
        assert json.loads((out / "config.json").read_text("utf-8"))["schema"] == 3
        model = dser_jax.load(out)
        first, *others = model.bundle.members
        row = rows[kind, None if others else first.seed]
        pred = model([utterances[i].file for i in ids], texts).pred
        np.testing.assert_allclose(pred, view.arrays(row["run"])["test_pred"], atol=1e-4)
        for part in ("validation", "test"):
            for metric, scores in row[part].items():
                assert model.bundle.scores[part][metric] == pytest.approx(scores, abs=1e-4)
        (name, *_) = program_names(1 + len(others))
        program = jax.export.deserialize(bytearray((out / name).read_bytes()))
        inputs = encode(model.bundle, [model.read(utterances[i].file) for i in ids], texts)
        given = [each for each in inputs if each is not None]
        plain = view.arrays(first.run)["test_pred"]
        np.testing.assert_allclose(program.call(*given), model.bundle.stretch(plain), atol=1e-4)


ELSEWHERE = """
import json, sys
import dser_jax
model = dser_jax.load(sys.argv[1])
asked = json.loads(sys.argv[2])
estimate = model([file for file, _ in asked], [text for _, text in asked])
print(json.dumps({"members": estimate.members.tolist(), "modules": list(sys.modules)}))
"""


def test_predicts_recordings_in_a_fresh_process_as_in_the_journal(folder, model):
    ids, there = predictions(folder)
    utterances = {utt.id: utt for utt in load_prepared(folder / "data").utterances}
    asked = [[str(utterances[i].file), utterances[i].transcript] for i in ids]
    answer = json.loads(python(ELSEWHERE, model, json.dumps(asked)))
    assert not {"optax", "orbax", "dser_jax.training.run", "dser_jax.engine.lanes"} & set(
        answer["modules"]
    )
    runs = [member.run for member in read_bundle(model).members]
    assert sorted(runs) == sorted(there)
    want = np.stack([there[run] for run in runs])
    np.testing.assert_allclose(answer["members"], want, atol=1e-5)
    assert want.std(0).max() > 1e-3  # The networks differ, so each was compared with its own.


BARE = """
import os, sys
os.chdir(sys.argv[1])
import numpy as np
features, tokens = (np.load(sys.argv[2])[name] for name in ("features", "tokens"))
exec(sys.argv[3])
assert not any(name.startswith(("dser_jax", "flax")) for name in sys.modules)
np.save(sys.argv[4], network.call(np.float32(acoustic), np.int32(tokens)))
"""


def test_the_program_of_the_model_card_needs_jax_alone(folder, model, tmp_path):
    ids, there = predictions(folder)
    prepared = load_prepared(folder / "data")
    values, _ = prepared.feature("paa_hsf")
    rows = [i for i, utt in enumerate(prepared.utterances) if utt.id in ids]
    words = json.loads((model / "tokenizer.json").read_text())["words"]
    tokens = np.zeros((len(rows), 4), int)
    for row, i in zip(tokens, rows, strict=True):
        known = [words.index(w) + 1 for w in prepared.utterances[i].transcript.split()]
        row[4 - len(known) :] = known
    np.savez(tmp_path / "inputs.npz", features=np.asarray(values)[rows][:, None], tokens=tokens)
    card = (model / "README.md").read_text()
    code = re.findall(r"```python\n(.*?)```", card, re.DOTALL)[-1]
    assert "jax.export.deserialize" in code
    python(BARE, model, tmp_path / "inputs.npz", code, tmp_path / "pred.npy")
    first = read_bundle(model).members[0].run
    np.testing.assert_allclose(np.load(tmp_path / "pred.npy"), there[first], atol=1e-4)
    one, many = ({k: v[:n] for k, v in np.load(tmp_path / "inputs.npz").items()} for n in (1, 5))
    assert len(one["tokens"]) != len(many["tokens"])  # The program takes any number of rows.
    np.savez(tmp_path / "one.npz", **one)
    python(BARE, model, tmp_path / "one.npz", code, tmp_path / "one.npy")
    np.testing.assert_allclose(np.load(tmp_path / "one.npy"), there[first][:1], atol=1e-4)


@pytest.mark.parametrize(("features", "steps"), [("paa_hsf", 1), ("paa_lld", 6)])
def test_lstms_as_programs(features, steps, tmp_path):
    model = make_model("lstm", "lstm", features, steps, members=1)
    export_networks(model.bundle, tmp_path)
    random = np.random.default_rng(0)
    width = len(model.bundle.features.columns)
    speech = [random.normal(size=(steps - i % steps, width)) for i in range(3)]
    inputs = encode(model.bundle, speech, ["the weather", "is awful", ""])
    given = [each for each in inputs if each is not None]
    program = jax.export.deserialize(bytearray((tmp_path / "model.stablehlo").read_bytes()))
    assert program.platforms == ("cpu", "cuda")
    (want,) = Networks(model.bundle)(inputs)
    np.testing.assert_allclose(program.call(*given), want, atol=1e-4)


def test_the_card_tells_what_was_reached(folder, model):
    text = (model / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["license"] == "other"
    assert about["library_name"] == "dser_jax"
    assert about["pipeline_tag"] == "audio-classification"
    (result,) = about["model-index"][0]["results"]
    assert result["dataset"]["type"] == "labels"
    settings = json.loads((model / "config.json").read_text())
    metrics = {metric["name"]: metric["value"] for metric in result["metrics"]}
    ccc = settings["scores"]["test"]["ccc"]
    assert metrics["CCC over the whole test set, mean"] == round(ccc["mean"], 4)
    assert f"| test, `ccc` | {ccc['valence']:.3f} |" in body
    assert "Protocol `strict`" in body
    assert "Seeds 0–2." in body
    assert "10.1017/ATSIP.2020.14" in body
    for name in ("labels.csv", str(folder)):
        assert name not in body
    members = settings["scores"]["test"]["ccc_mean_of_each"]
    rows = {row["run"]: row for row in read_journal(folder / "kept").rows}
    # Other programs have predicted here, whose sums come in another order.
    want = {run: rows[run]["test"]["ccc"]["mean"] for run in members}
    assert members == pytest.approx(want, abs=1e-5)


def test_the_command_says_what_it_is_held_against_and_what_is_next(folder, tmp_path, capsys):
    out = tmp_path / "a model"
    main(["export", str(folder / "kept"), "--best", "--no-stablehlo", "--out", str(out)])
    said = capsys.readouterr().out
    assert "  The sweep has no baseline to hold it against.\n" in said
    assert said.splitlines()[-1] == (
        f"Next, to predict with it: dser predict '{out}' recordings/ --asr pocketsphinx"
    )


def test_weights_that_were_not_kept(folder, tmp_path, capsys):
    journal = str(folder / "not kept")
    with pytest.raises(SystemExit) as end:
        main(["export", journal, "--best", "--out", str(tmp_path / "model")])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "the weights of this run were not kept" in said
    assert "--retrain" in said
    assert not (tmp_path / "model").exists()
    again = gather(journal, Choice(ensemble=True), retrain=True)
    kept = gather(folder / "kept", Choice(ensemble=True))
    assert again.scores.pop("trained_again")
    assert not kept.scores.pop("trained_again")
    for name in ("validation", "test"):
        assert again.scores[name]["ccc"] == pytest.approx(kept.scores[name]["ccc"], abs=1e-3)


def test_weights_of_another_run_are_noticed(folder, tmp_path):
    shutil.copytree(folder / "kept", tmp_path / "mixed")
    view = read_journal(tmp_path / "mixed")
    one, other = (row["run"] for row in view.rows[:2])
    shutil.rmtree(tmp_path / "mixed" / "params" / one)
    shutil.copytree(folder / "kept" / "params" / other, tmp_path / "mixed" / "params" / one)
    with pytest.raises(DserError, match=f"run {one}: its weights do not give its predictions"):
        gather(tmp_path / "mixed", Choice(run=one))


def test_another_data_set_is_noticed(folder, tmp_path):
    with pytest.raises(DserError, match=r"no such folder.*--data says where it is now"):
        gather(folder / "kept", data=tmp_path / "moved")
    labels = (folder / "labels.csv").read_text().replace("it was", "it is")
    (folder / "others.csv").write_text(labels)
    prepare = ["prepare", "--corpus", "table", str(folder / "others.csv"), "--scale", "1", "5"]
    main([*prepare, "--features", "paa_hsf", "--out", str(tmp_path / "data"), "--jobs", "1"])
    with pytest.raises(DserError, match="is not the data set that"):
        gather(folder / "kept", data=tmp_path / "data")
    shutil.copytree(folder / "data", tmp_path / "elsewhere")
    assert gather(folder / "kept", data=tmp_path / "elsewhere").corpus == "labels"


def test_a_journal_is_loaded_like_an_export(folder, model):
    best = choose(read_journal(folder / "kept"), Choice())[0]["run"]
    text = "it was good"
    (of_best,) = (i for i, m in enumerate(read_bundle(model).members) if m.run == best)
    direct = dser_jax.load(folder / "kept")(folder / "00.wav", text)
    exported = dser_jax.load(model)(folder / "00.wav", text)
    np.testing.assert_allclose(direct.pred, exported.members[of_best], atol=1e-5)
    assert direct.spread is None


def test_an_export_never_overwrites(folder, model, capsys):
    before = (model / "config.json").read_bytes()
    with pytest.raises(SystemExit) as end:
        main(["export", str(folder / "kept"), "--best", "--out", str(model)])
    assert end.value.code == 2
    assert "there already" in capsys.readouterr().err
    assert (model / "config.json").read_bytes() == before


def test_where_nothing_can_be_written_nothing_is_trained(tmp_path, monkeypatch, capsys):
    (tmp_path / "c.toml").write_text("")
    (tmp_path / "full" / "x").mkdir(parents=True)
    (tmp_path / "locked").mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, m: Path(p).name != "locked" and allowed(p, m))
    for out, problem in (
        ("full", "full: there already, a folder; export to another"),
        ("c.toml", "c.toml: there already, a file; export to another"),
        ("c.toml/a/model", "c.toml is a file; expected a folder"),
        ("locked/a/model", "locked is not writable"),
    ):
        # There is no such journal: whatever is said of it would come too late.
        with pytest.raises(SystemExit) as end:
            main(["export", "no journal", "--best", "--retrain", "--out", str(tmp_path / out)])
        assert end.value.code == 2
        assert problem in " ".join(capsys.readouterr().err.split()), out


def row(run: str, seed: int, validation: float | None, test: float, **more) -> dict:
    scores = {"ccc": {"mean": validation}}
    common = {"name": "a", "config": {}, "hparams": {}, "status": "ok"}
    return {
        **common,
        **{"run": run, "seed": seed, "validation": scores, "test": {"ccc": {"mean": test}}},
        **more,
    }


def test_validation_chooses_and_test_does_not():
    rows = (
        row("a1", 1, 0.5, 0.1),
        row("a0", 0, 0.4, 0.9),
        row("b0", 0, 0.7, 0.2, name="b"),
        row("b1", 1, 0.1, 0.8, name="b"),
        row("b2", 2, 0.99, 0.99, name="b", status="diverged"),
        row("c0", 0, None, 0.99, name="c"),
        row("ridge", 0, 0.98, 0.98, name="r", kind="baseline"),
        {"run": "x", "name": "a", "seed": 3, "status": "failed", "config": {}, "hparams": {}},
    )
    view = JournalView(Path("j"), {}, rows)

    def runs(**choice):
        return [chosen["run"] for chosen in choose(view, Choice(**choice))]

    assert runs() == ["b0"]
    assert runs(row="a") == ["a1"]
    assert runs(ensemble=True) == ["a0", "a1"]  # A mean of .45, against .4.
    assert runs(ensemble=True, row="b") == ["b0", "b1"]
    assert runs(run="b1") == ["b1"]
    with pytest.raises(DserError, match="no row is called 'z'; there are 'a', 'b', 'c'"):
        runs(row="z")
    with pytest.raises(DserError, match="2 runs begin so"):
        runs(run="a")
    with pytest.raises(DserError, match="ridge is a baseline"):
        runs(run="ridge")
    with pytest.raises(DserError, match="x has failed"):
        runs(run="x")
    view = JournalView(Path("j"), {}, rows[6:7])  # As after --seeds 0.
    with pytest.raises(DserError, match=r"baselines alone.*--seeds 1 or more, and --extend, "):
        runs()


def test_validation_picks_the_baseline_of_the_same_test_utterances():
    of = {"corpus": "c", "protocol": "strict", "split": "x", "truth": "t"}
    kind = {"kind": "baseline"}
    network = row("a0", 0, 0.5, 0.4, **of)
    rows = (
        network,
        row("r", 0, 0.3, 0.35, **of, **kind, **{"name": "ridge"}),
        row("m", 0, 0.1, 0.9, **of, **kind, **{"name": "mean"}),
        row("o", 0, 0.8, 0.8, **(of | {"truth": "other"}), **kind, **{"name": "other"}),
    )
    found = baseline_of(JournalView(Path("j"), {}, rows), network)
    assert found == {"name": "ridge", "validation": 0.3, "test": 0.35}
    assert baseline_of(JournalView(Path("j"), {}, rows[:1]), network) is None
    bundle = text_bundle()
    assert "The sweep has no baseline to hold it against." in make_card(bundle, None)
    bundle.scores["baseline"] = found
    said = "on validation is 'ridge': it has a mean test CCC of 0.350, the model 0.500."
    assert said in make_card(bundle, None)


def text_bundle() -> Bundle:
    """A model of words alone, with weights that nobody trained."""
    config = Config(acoustic=None, text="dense", units=2, layers=1, embedding_dim=2, max_tokens=3)
    config = dataclasses.replace(config, text_dense=2)
    random = np.random.default_rng(0)
    shapes = {
        "params/text/embedding/embedding": (4, 2),
        "params/text/dense_0/kernel": (2, 2),
        "params/text/dense_0/bias": (2,),
        "params/text/dense_last/kernel": (6, 2),
        "params/text/dense_last/bias": (2,),
        **{f"params/{a}/kernel": (2, 1) for a in ("valence", "arousal", "dominance")},
        **{f"params/{a}/bias": (1,) for a in ("valence", "arousal", "dominance")},
    }
    weights = {name: random.normal(size=shape).astype("f") for name, shape in shapes.items()}
    scores = {"ccc": {"valence": 0.5, "mean": 0.5}, "ccc_batch32": {}, "rmse": {"valence": None}}
    return Bundle(
        name='a "name": with marks',
        corpus="iemocap",
        scale=(1.0, 5.0),
        attrs=("valence",),
        config=config,
        hparams={"learning_rate": 0.1},
        features=None,
        scaler=None,
        tokenizer=Tokenizer(("it", "was", "naïve")),
        members=(Member("abc", 7, weights),),
        scores={
            **{"protocol": "paper", "split": "last session", "seeds": [7]},
            "utterances": {"train": 3, "validation": 2, "test": 1},
            "validation": scores,
            "test": {**scores, "ccc_mean_of_each": {"abc": 0.5}},
            **{"chosen": "a run", "trained_again": False},
        },
        made_with={},
    )


def test_what_is_written_is_read(tmp_path):
    bundle = text_bundle()
    export(bundle, tmp_path / "model", stablehlo=False)
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
    assert not list(tmp_path.glob(".*"))
    found = read_bundle(tmp_path / "model")
    (member,), (there,) = found.members, bundle.members
    assert member.weights.keys() == there.weights.keys()
    for name, array in there.weights.items():
        np.testing.assert_array_equal(member.weights[name], array)
    assert dataclasses.replace(found, members=()) == dataclasses.replace(bundle, members=())


def test_the_map_is_written_and_what_is_no_map_named(tmp_path):
    stretch = Stretch(*np.random.default_rng(0).normal(size=(3, 3)))
    bundle = dataclasses.replace(text_bundle(), stretch=stretch)
    export(bundle, tmp_path / "model", stablehlo=False)
    found = read_bundle(tmp_path / "model")
    np.testing.assert_array_equal(found.stretch, stretch)
    assert found.title.endswith(", stretched")
    values = stretch.to_json() | {"scale": [1.0]}
    rewrite(tmp_path / "model/config.json", stretch=values)
    with pytest.raises(DserError, match="the map by which it is stretched"):
        read_bundle(tmp_path / "model")


def test_the_card_of_a_corpus_that_may_not_be_shared():
    card = make_card(text_bundle(), None)
    about = yaml.safe_load(card.split("---\n")[1])
    assert about["pipeline_tag"] == "text-classification"
    assert about["model-index"][0]["name"] == 'we on iemocap: a "name": with marks'
    (metric,) = about["model-index"][0]["results"][0]["metrics"][:1]
    assert metric == {"type": "ccc", "value": 0.5, "name": "CCC over the whole test set, valence"}
    assert "may not be passed on" in card
    assert "`tokenizer.json` has the words" in card
    assert "test rows included" in card  # the protocol `paper` said in words
    assert "hello.wav" not in card
    licensed = make_card(text_bundle(), "cc-by-sa-4.0")
    assert yaml.safe_load(licensed.split("---\n")[1])["license"] == "cc-by-sa-4.0"


def test_the_card_says_how_it_was_trained_where_that_is_not_the_default():
    bundle = text_bundle()
    assert "Trained with" not in make_card(bundle, None)
    config = dataclasses.replace(bundle.config, loss="mse", optimizer="adam")
    card = make_card(dataclasses.replace(bundle, config=config), None)
    assert "Trained with loss mse, optimizer adam." in card


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        ("iemocap", "IEMOCAP is licensed to its holder"),
        ("msp_podcast -> demo", "MSP-Podcast is licensed to its holder"),
        ("mine", "is for the licence of the corpus to say"),
    ],
)
def test_the_card_tells_the_licence_of_what_a_model_was_trained_on(corpus, said):
    assert said in make_card(dataclasses.replace(text_bundle(), corpus=corpus), None)


def test_a_damaged_folder_is_named(tmp_path):
    def broken(change) -> str:
        folder = tmp_path / change.__name__
        export(text_bundle(), folder, stablehlo=False)
        change(folder)
        with pytest.raises(DserError) as error:
            read_bundle(folder)
        return str(error.value)

    def cut(folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:50])

    def forgotten(folder):
        (folder / "tokenizer.json").unlink()

    def newer(folder):
        rewrite(folder / "config.json", schema=4)

    def torn(folder):
        (folder / "config.json").write_text('{"format": ')

    def edited(folder):
        text = (folder / "config.json").read_text()
        (folder / "config.json").write_text(text.replace('"iemocap"', '"demo"'))

    def emptied(folder):
        rewrite(folder / "config.json", features={})

    def elsewhere(folder):
        shutil.copy(folder / "model.safetensors", tmp_path)
        member = {"run": "abc", "seed": 7, "weights": "../model.safetensors"}
        rewrite(folder / "config.json", members=[member])

    assert "model.safetensors: damaged" in broken(cut)
    assert "tokenizer.json: cannot be read" in broken(forgotten)
    assert "schema 4" in broken(newer)
    assert "config.json: damaged" in broken(torn)
    assert "its checksum is wrong" in broken(edited)
    assert "config.json: not a model that can be read (TypeError" in broken(emptied)
    assert "its weights are expected in model.safetensors" in broken(elsewhere)
    with pytest.raises(DserError, match="no such folder; expected a folder that `dser export"):
        dser_jax.load(tmp_path / "nothing")


def without_checksums(folder: Path) -> None:
    """Makes a folder what an older version wrote."""
    settings = read_sealed(folder / "config.json")
    assert settings is not None
    del settings["files"]
    (folder / "config.json").write_text(json.dumps(settings))


def test_a_folder_without_checksums_is_read_and_what_is_odd_in_it_named(tmp_path):
    folder = tmp_path / "model"
    export(text_bundle(), folder, stablehlo=False)
    without_checksums(folder)
    assert read_bundle(folder).members[0].run == "abc"
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DserError, match=r"model\.safetensors: cannot be read"):
        read_bundle(folder)
    (folder / "tokenizer.json").write_text("[" * 10**5)
    with pytest.raises(DserError, match=r"tokenizer\.json: cannot be read \(nested too deeply"):
        read_bundle(folder)


def test_weights_of_another_network_are_named(tmp_path):
    bundle = text_bundle()
    member = bundle.members[0]
    other = member.weights | {"params/valence/kernel": np.zeros((5, 1), "f")}
    less = {name: array for name, array in member.weights.items() if "valence" not in name}
    for weights in (other, less):
        changed = dataclasses.replace(member, weights=weights)
        folder = export(
            dataclasses.replace(bundle, members=(changed,)),
            tmp_path / str(len(weights)),
            stablehlo=False,
        )
        with pytest.raises(DserError, match="do not fit its settings"):
            dser_jax.load(folder)(text="it was")


def test_the_card_may_be_edited(tmp_path):
    folder = export(text_bundle(), tmp_path / "model", stablehlo=False)
    (folder / "README.md").write_text("mine")
    assert read_bundle(folder).members[0].run == "abc"


def test_what_killed_exports_left_is_removed_and_what_others_write_is_not(tmp_path):
    dead, others = tmp_path / ".model.1.part", tmp_path / ".model2.1.part"
    dead.mkdir()
    (dead / "model.safetensors").write_bytes(b"half")
    others.mkdir()
    with FolderLock(tmp_path / ".model.2.part"):
        export(text_bundle(), tmp_path / "model", stablehlo=False)
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left == [".model.2.part", ".model2.1.part", "model"]
    assert not (tmp_path / "model/lock").exists()


def test_all_of_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    flushed, commit, fsync, rename = [], [], os.fsync, os.rename

    def flush(handle):
        flushed.append(os.fstat(handle).st_ino)
        fsync(handle)

    def put(source, target):
        commit.append((Path(target), len(flushed)))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "rename", put)
    folder = export(text_bundle(), tmp_path / "model", stablehlo=False)
    (before,) = (count for target, count in commit if target == folder)
    assert {path.stat().st_ino for path in (folder, *folder.iterdir())} <= {*flushed[:before]}
    assert flushed[before:] == [tmp_path.stat().st_ino]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(DserError, match="model: cannot write: No space left"):
        export(text_bundle(), tmp_path / "model", stablehlo=False)
    assert list(tmp_path.iterdir()) == []
