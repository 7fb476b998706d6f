"""Features of one's own in a prepared folder: whose they are, and that they are no labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import CONFIG

from dser_jax.cli import main
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.data.dataset import load_dataset
from dser_jax.data.inspection import inspect, summary
from dser_jax.data.joining import join
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.data.rows.importing import Reading, import_features
from dser_jax.data.rows.table import make_table
from dser_jax.experiment.running import run_experiment
from dser_jax.plan.groups import Group, paired_runs
from dser_jax.predict.predictor import load
from dser_jax.report.published.held import hold, obstacles
from dser_jax.system.errors import BadInput, DataError, DserError
from dser_jax.training.run import HParams

COUNT = 24
LABELS = np.random.default_rng(0).uniform(1, 5, (COUNT, 3)).round(2)
NOISE = np.random.default_rng(1).normal(size=(COUNT, 2)).round(4)


def corpus(name: str = "toy", **changes) -> Corpus:
    utterances = tuple(
        Utterance(
            f"u{i:02d}",
            speaker=f"s{i % 4}",
            session=f"S{i % 4}",
            transcript=f"word {i % 5}",
            **dict(zip(ATTRS, labels, strict=True)),
            **changes,
        )
        for i, labels in enumerate(LABELS.tolist())
    )
    return Corpus(name, utterances, (1.0, 5.0))


def csv(folder: Path, columns: dict[str, np.ndarray], name: str = "x.csv") -> Path:
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def npy(folder: Path, array: np.ndarray, name: str = "x.npy") -> Path:
    np.save(folder / name, array)
    return folder / name


NUMBERS = {"loud": NOISE[:, 0], "pitch": NOISE[:, 1]}


# Labels in disguise


def disguised(kind: str, folder: Path) -> Path:
    """Features with the valence among them, in one of the ways in which it comes."""
    valence = LABELS[:, 0]
    if kind == "named":
        return csv(folder, {**NUMBERS, "valence": NOISE[:, 0] ** 2})
    if kind == "csv":
        return csv(folder, {"": np.arange(COUNT), "score": (valence - 3) / 2, **NUMBERS})
    if kind == "npy":
        return npy(folder, np.stack([NOISE[:, 0], valence], 1))
    frames = np.random.default_rng(2).normal(size=(COUNT, 4, 2))
    frames[:, :, 1] = 6 - valence[:, None]
    if kind == "sequences":
        return npy(folder, frames)
    rows = [(f"u{i:02d}", t / 100, *frames[i, t]) for i in range(COUNT) for t in range(4)]
    names = ("name", "frameTime", "loud", "score")
    return csv(folder, dict(zip(names, zip(*rows, strict=True), strict=True)))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("named", "the column valence is named valence"),
        ("csv", "the column score follows valence"),
        ("npy", "the column mine_1 equals valence"),
        ("sequences", "the column mine_1 follows valence"),
        ("frames", "the column score follows valence"),
    ],
)
def test_labels_in_disguise_are_refused(tmp_path, kind, said):
    path = disguised(kind, tmp_path)
    acoustic = {"mine": path}
    message = rf"{path.name}: labels among the features: {said}; .*--allow-label-columns"
    with pytest.raises(DataError, match=message):
        prepare(corpus(), tmp_path / "out", acoustic=acoustic, bad=BadInput(skip=True))
    assert not (tmp_path / "out" / "manifest.json").exists()
    allowed = prepare(corpus(), tmp_path / "out", acoustic=acoustic, label_columns=True)
    assert any("although they are labels" in note for note in allowed.manifest["notes"])


def test_what_the_command_says_of_labels(tmp_path, capsys):
    labels = {attr: LABELS[:, i] for i, attr in enumerate(ATTRS)}
    words = {"transcript": np.array([f"word {i}" for i in range(COUNT)])}
    table = csv(tmp_path, {**words, **labels}, "labels.csv")
    features = csv(tmp_path, {"index": np.arange(COUNT), **NUMBERS, **labels}, "mine.csv")
    out = str(tmp_path / "out")
    given = ["prepare", "--yes", "--corpus", "table", str(table), "--scale", "1", "5", "--out", out]
    given += ["--acoustic", f"mine={features}"]
    with pytest.raises(SystemExit) as caught:
        main(given)
    assert caught.value.code == 2
    assert "valence is named valence (arousal is named arousal; domin" in capsys.readouterr().err
    main([*given, "--allow-label-columns"])
    said = capsys.readouterr().out
    assert "mine.csv: 'index' numbers the rows, and is left out" in said
    assert "mine.csv: taken for features, although they are labels: valence is named val" in said
    assert load_prepared(out).manifest["features"]["mine"]["columns"] == [*NUMBERS, *ATTRS]


# Rows that are left out


def test_rows_that_are_left_out_of_the_table_keep_their_places_in_the_features(tmp_path, capsys):
    """`--skip-bad` with features for each row of the original table, now and in a later call."""
    rows = [f"word {i},{value}" for i, value in enumerate(LABELS[:, 0])]
    rows[3], rows[7] = "word 3,99", "torn"
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["transcript,valence", *rows]) + "\n")
    path = npy(tmp_path, NOISE)
    out, common = (
        tmp_path / "out",
        ["prepare", "--yes", "--skip-bad", "--out", str(tmp_path / "out")],
    )
    source = ["--corpus", "table", str(table), "--scale", "1", "5"]
    main([*common, *source, "--acoustic", f"mine={path}"])
    main([*common, "--acoustic", f"later={path}"])
    main([*common, *source, "--acoustic", f"again={path}"])
    kept = [i for i in range(COUNT) if i not in (3, 7)]
    prepared = load_prepared(out)
    assert [utt.transcript for utt in prepared.utterances] == [f"word {i}" for i in kept]
    for name in ("mine", "later", "again"):
        np.testing.assert_array_equal(prepared.feature(name)[0], np.float32(NOISE[kept]))
    assert prepared.manifest["left_out_rows"] == {"3": f"{table}:5", "7": f"{table}:9"}
    said = capsys.readouterr().out
    assert "x.npy: a row for each row of the original table, 2 of them left out" in said
    # Once the table is mended, it is another.
    table.write_text(table.read_text().replace("torn", "word 7,2"))
    with pytest.raises(SystemExit):
        main([*common, *source])
    assert "holds another corpus, or another version of it" in capsys.readouterr().err


def test_what_has_no_features_is_skipped_or_kept(tmp_path):
    path = csv(
        tmp_path, {"id": np.array([f"u{i:02d}" for i in range(2, COUNT)]), "x": NOISE[2:, 0]}
    )
    message = r"no row for utterance u00, though others have theirs, nor of 1 other; .*`skip`"
    with pytest.raises(DataError, match=message):
        prepare(corpus(), tmp_path / "no", acoustic={"mine": path})
    left = prepare(corpus(), tmp_path / "a", acoustic={"mine": path}, missing_speech="skip")
    assert [utt.id for utt in left.utterances] == [f"u{i:02d}" for i in range(2, COUNT)]
    assert len(left.manifest["left_out"]) == 2
    kept = prepare(corpus(), tmp_path / "b", acoustic={"mine": path}, missing_speech="keep")
    array = kept.feature("mine")[0]
    assert np.isnan(array[:2]).all()
    np.testing.assert_array_equal(array[2:, 0], np.float32(NOISE[2:, 0]))
    assert kept.manifest["features"]["mine"]["missing"] == 2
    line = "kept without mine: 2 of 24 utterances; what reads speech gets the mean of the training"
    assert any(said.startswith(line) for said in summary(kept, ["mine"]))


# The names of extracted features


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A folder whose `gemaps_hsf` came from elsewhere, and a sweep on it."""
    folder = tmp_path_factory.mktemp("imported")
    path = csv(folder, NUMBERS, "egemaps.csv")
    prepare(corpus(), folder / "data", acoustic={"gemaps_hsf": path})
    return folder


def test_features_with_the_name_of_extracted_ones_are_marked(imported, capsys):
    prepared = load_prepared(imported / "data")
    assert prepared.manifest["features"]["gemaps_hsf"]["source"] == "imported from egemaps.csv"
    assert prepared.shown("gemaps_hsf") == "gemaps_hsf (imported)"
    inspect(prepared)
    said = " ".join(capsys.readouterr().out.split())
    assert "gemaps_hsf (imported) 24 utterances x 2 imported from egemaps.csv" in said
    # Under the paper's protocol, too, they are read as they are.
    for protocol in ("strict", "paper"):
        config = type(CONFIG)(features="gemaps_hsf", protocol=protocol)
        dataset = load_dataset(prepared, config)
        assert dataset.inputs == "gemaps_hsf (imported) + we"
        assert dataset.data.acoustic.shape == (COUNT, 1, 2)


def test_they_are_never_taken_for_extracted_ones(imported, tmp_path):
    """Not if they are equal to the bit."""
    array = load_prepared(imported / "data").feature("gemaps_hsf")[0]
    same = prepare(corpus(), tmp_path / "same", acoustic={"gemaps_hsf": npy(tmp_path, array)})
    again = json.loads(json.dumps(same.manifest))
    again["features"]["gemaps_hsf"]["source"] = "opensmile 3"
    extracted = type(same)(same.folder, again, same.utterances)
    names = ["gemaps_hsf"]
    assert extracted.fingerprint_of(names) != same.fingerprint_of(names)
    assert extracted.fingerprint_of([]) == same.fingerprint_of([])


def test_neither_replaces_the_other(tmp_path):
    file = tmp_path / "a.wav"
    soundfile.write(file, np.random.default_rng(0).uniform(-0.5, 0.5, 1600), 16000)
    spoken = corpus(file=file)
    path = csv(tmp_path, NUMBERS)
    with pytest.raises(DserError, match="paa_hsf: extract these features or import them, not both"):
        prepare(spoken, tmp_path / "a", features=["paa_hsf"], acoustic={"paa_hsf": path})
    prepare(spoken, tmp_path / "a", features=["paa_hsf"], jobs=1)
    with pytest.raises(DserError, match=r"paa_hsf were extracted \(.*another --out, or name"):
        prepare(None, tmp_path / "a", acoustic={"paa_hsf": path})
    prepare(spoken, tmp_path / "b", acoustic={"paa_hsf": path})
    with pytest.raises(DserError, match=r"paa_hsf were imported \(imported from x\.csv\), and are"):
        prepare(None, tmp_path / "b", features=["paa_hsf"])
    other = [replace_name(utt) for utt in spoken.utterances]
    wide = np.random.default_rng(0).normal(size=(COUNT, 68))
    prepare(
        Corpus("other", tuple(other), (1.0, 5.0)),
        tmp_path / "c",
        acoustic={"paa_hsf": npy(tmp_path, wide)},
    )
    with pytest.raises(DataError, match="the features paa_hsf are not those of"):
        join(tmp_path / "a", tmp_path / "c", tmp_path / "d")


def replace_name(utt: Utterance) -> Utterance:
    return Utterance(utt.id, "x", "y", transcript="a", valence=utt.valence, split=None)


def test_what_a_name_stands_for_is_kept(tmp_path):
    frames = np.random.default_rng(0).normal(size=(COUNT, 3, 2))
    table = make_table(corpus(), None, tmp_path)
    with pytest.raises(DataError, match="not what paa_hsf stands for, found 'frames'"):
        import_features(
            npy(tmp_path, frames), "paa_hsf", table, BadInput(), [], Reading(), "refuse"
        )


def test_rows_journals_models_and_the_paper_know_of_it(imported, tmp_path):
    """The experiments' commands take imported features, and everything says that they were."""
    config = type(CONFIG)(
        **{**CONFIG.__dict__, "acoustic": "dense", "text": None, "features": "gemaps_hsf"}
    )
    paper = {"two": {"table": "table6", "row": "two"}}
    group = Group(config, paired_runs({"two": HParams()}, range(1), paper))
    view = run_experiment(imported / "data", tmp_path / "sweep", [group], keep_weights=True)
    inputs = {row["name"]: row["features"] for row in view.rows}
    assert inputs["two"] == inputs["ridge (speech)"] == "gemaps_hsf (imported)"
    assert view.manifest["imported"] == {"gemaps_hsf": "imported from egemaps.csv"}
    (held,), _ = hold(view.rows, "table6")
    assert any("features were imported" in reason for reason in obstacles(held))
    model = load(tmp_path / "sweep")
    assert model.bundle.title.startswith("gemaps_hsf (imported) on toy")
    with pytest.raises(DserError, match=r"'gemaps_hsf' \(imported from egemaps\.csv\), which cann"):
        model(np.random.default_rng(0).uniform(-0.1, 0.1, 16000).astype(np.float32))
    estimate = model.predict([np.float32(NOISE[:1])], None)
    assert np.isfinite(estimate.pred).all()
