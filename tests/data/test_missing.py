"""Rows that lack speech or words: what becomes of them, in data, networks and baselines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import CONFIG

from dser_jax.cli import main
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.data.dataset import load_dataset
from dser_jax.data.inputs import check_inputs
from dser_jax.data.inspection import inspect
from dser_jax.data.joining import join
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.experiment.running import run_experiment
from dser_jax.plan.groups import Group, paired_runs
from dser_jax.stats.baselines.inputs import blocks_of
from dser_jax.stats.baselines.planning import Baseline
from dser_jax.system.errors import BadInput, DataError, DserError
from dser_jax.training.run import HParams

COUNT, SILENT, MUTE = 32, (3, 9, 30), (4, 9, 31)
"""Utterances, those without features, and those without words; 9 has neither."""

LABELS = np.random.default_rng(0).uniform(1, 5, (COUNT, 3)).round(2)
FUNCTIONALS = np.random.default_rng(1).normal(5, 2, (COUNT, 3))
FRAMES = np.random.default_rng(2).normal(5, 2, (COUNT, 4, 3))
TEXT = replace(CONFIG, acoustic=None)
SPEECH = replace(CONFIG, text=None)


def corpus(name: str = "toy", **changes) -> Corpus:
    utterances = tuple(
        Utterance(
            f"u{i:02d}",
            speaker=f"s{i % 4}",
            session=f"S{i % 4}",
            file=Path(f"{name}.wav"),
            transcript=None if i in MUTE else f"word {'abcde'[i % 5]}",
            **dict(zip(ATTRS, labels, strict=True)),
            source=f"labels.csv:{i + 2}",
            **changes,
        )
        for i, labels in enumerate(LABELS.tolist())
    )
    return Corpus(name, utterances, (1.0, 5.0))


@pytest.fixture(scope="module")
def arrays(tmp_path_factory) -> dict[str, Path]:
    """Features that some rows lack: they are NaN there, as pandas fills them in, or zeros."""
    folder = tmp_path_factory.mktemp("arrays")
    functionals, frames = FUNCTIONALS.copy(), FRAMES.copy()
    functionals[list(SILENT)], frames[list(SILENT)] = np.nan, 0
    np.save(folder / "hsf.npy", functionals)
    np.save(folder / "lld.npy", frames)
    return {"toy_hsf": folder / "hsf.npy", "toy_lld": folder / "lld.npy"}


@pytest.fixture(scope="module")
def kept(arrays, tmp_path_factory):
    """A folder that keeps what lacks a half; what lacks both cannot be kept."""
    out = tmp_path_factory.mktemp("kept")
    rules = {"missing_transcripts": "keep", "missing_speech": "keep"}
    with pytest.raises(DataError, match=r"csv:11: neither speech nor words of utterance u09"):
        prepare(replace_file(corpus()), out / "no", acoustic=arrays, **rules)
    bad = BadInput(skip=True)
    found = prepare(replace_file(corpus()), out / "kept", acoustic=arrays, bad=bad, **rules)
    assert len(bad.left_out) == 1
    return found


def replace_file(given: Corpus) -> Corpus:
    """Takes the recordings away: these are features from elsewhere."""
    return replace(given, utterances=tuple(replace(u, file=None) for u in given.utterances))


ROWS = [i for i in range(COUNT) if i != 9]
NO_SPEECH = [ROWS.index(3), ROWS.index(30)]
NO_WORDS = [ROWS.index(4), ROWS.index(31)]


# Words


def test_rows_without_words_are_no_matter_until_words_are_read(tmp_path, capsys):
    """One empty transcript in a table is no reason to refuse it."""
    some = corpus()
    prepared = prepare(some, tmp_path / "out")
    assert len(prepared.utterances) == COUNT
    assert prepared.manifest["has_transcripts"] is False
    inspect(prepared)
    said = " ".join(capsys.readouterr().out.split())
    assert "without a transcript: 3 of 32 utterances, so what reads text does not" in said
    with pytest.raises(DserError, match=r"u04 has no transcript|u04 has none; .*skip` leaves them"):
        check_inputs(prepared, TEXT)
    main(["prepare", "--missing-transcripts", "keep", "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "kept without a transcript: 3 of 32 utterances; what reads words gets none" in said
    kept = load_prepared(tmp_path / "out")
    assert check_inputs(kept, TEXT) == []
    assert kept.manifest["missing"] == {"transcripts": "keep"}
    assert kept.fingerprint == prepared.fingerprint
    # The folder remembers, also where the corpus is given again.
    glove = tmp_path / "glove.txt"
    glove.write_text("word 1 2\n")
    again = prepare(some, tmp_path / "out", vectors={"glove": glove})
    assert again.manifest["has_transcripts"] is True
    main(["prepare", "--missing-transcripts", "skip", "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "left out, 3 in all:" in said
    assert "labels.csv:6: no transcript of utterance u04" in said
    left = load_prepared(tmp_path / "out")
    assert [u.id for u in left.utterances] == [f"u{i:02d}" for i in range(COUNT) if i not in MUTE]
    assert left.manifest["has_transcripts"] is True


def test_rows_without_words_are_refused_where_that_is_asked_or_words_are(tmp_path):
    glove = tmp_path / "glove.txt"
    glove.write_text("word 1 2\n")
    message = (
        r"labels\.csv:6: no transcript of utterance u04, nor of 2 others; expected words for all, "
        r"or a rule: `--missing-transcripts keep` takes .*`skip` leaves them out; `--no-transcr"
    )
    for more in ({"missing_transcripts": "refuse"}, {"vectors": {"glove": glove}}):
        with pytest.raises(DataError, match=message):
            prepare(corpus(), tmp_path / "out", **more)
    with pytest.raises(
        DserError, match="missing transcripts: 'drop' is none of refuse, skip, keep"
    ):
        prepare(corpus(), tmp_path / "out", missing_transcripts="drop")
    blank = replace(corpus().utterances[0], transcript=" \t")
    one = replace(corpus(), utterances=(blank, *corpus().utterances[1:3]))
    with pytest.raises(DataError, match="no transcript of utterance u00"):
        prepare(one, tmp_path / "out", missing_transcripts="refuse")


def test_a_table_with_an_empty_transcript_by_the_command(tmp_path, capsys):
    table = tmp_path / "labels.csv"
    lines = [f"r{i}.wav,{'' if i == 5 else 'a word'},{2 + i % 3}" for i in range(20)]
    table.write_text("\n".join(["file,transcript,valence", *lines]) + "\n")
    given = ["prepare", "--yes", "--corpus", "table", str(table), "--scale", "1", "5"]
    for name, more, rows, words in (
        ("plain", [], 20, 19),
        ("none", ["--no-transcripts"], 20, 0),
        ("skip", ["--missing-transcripts", "skip"], 19, 19),
        ("keep", ["--missing-transcripts", "keep"], 20, 19),
        ("bad", ["--skip-bad"], 19, 19),
    ):
        main([*given, *more, "--out", str(tmp_path / name)])
        prepared = load_prepared(tmp_path / name)
        said = [utt.transcript is not None for utt in prepared.utterances]
        assert (len(said), sum(said)) == (rows, words), name
        assert prepared.manifest["has_transcripts"] is (name in ("skip", "keep", "bad"))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main([*given, "--missing-transcripts", "refuse", "--out", str(tmp_path / "x")])
    assert "labels.csv:7: no transcript of utterance r5; expected" in capsys.readouterr().err


# Speech


def test_rows_without_recordings(tmp_path):
    files = [None if i in (3, 30) else Path("a.wav") for i in range(COUNT)]
    rows = zip(corpus().utterances, files, strict=True)
    some = replace(corpus(), utterances=tuple(replace(u, file=f) for u, f in rows))
    assert len(prepare(some, tmp_path / "out").utterances) == COUNT
    message = r"csv:5: no recording of utterance u03, nor of 1 other; .*`--missing-speech keep`"
    with pytest.raises(DataError, match=message):
        prepare(some, tmp_path / "out", features=["paa_hsf"])


def test_what_is_missing_is_at_the_mean_or_no_frame_and_fits_nothing(kept):
    assert kept.manifest["features"]["toy_hsf"]["missing"] == 2
    assert kept.manifest["features"]["toy_lld"]["missing"] == 2
    dataset = load_dataset(kept, CONFIG)
    acoustic = dataset.data.acoustic[:, 0]
    assert (acoustic[NO_SPEECH] == 0).all()
    assert (dataset.data.tokens[NO_WORDS] == 0).all()
    train = [row for row in dataset.split.train if row not in NO_SPEECH]
    known = FUNCTIONALS[ROWS].astype(np.float32).astype(float)[train]
    np.testing.assert_allclose(dataset.scaler.mean, known.mean(0))
    np.testing.assert_allclose(dataset.scaler.scale, known.std(0))
    sequences = load_dataset(kept, replace(CONFIG, features="toy_lld"))
    lengths = sequences.data.frames
    assert sorted(np.flatnonzero(lengths == 0)) == NO_SPEECH
    assert (sequences.data.acoustic[NO_SPEECH] == 0).all()
    assert (sequences.data.acoustic[lengths > 0] != 0).all()
    frames = FRAMES[ROWS].astype(np.float32).astype(float)[train]
    np.testing.assert_allclose(sequences.scaler.mean, frames.mean((0, 1)))


def test_what_is_kept_is_told(kept, capsys):
    inspect(kept)
    said = " ".join(capsys.readouterr().out.split())
    assert "kept without a transcript: 2 of 31 utterances; what reads words gets none" in said
    for name, given in (("toy_hsf", "the mean of the training rows"), ("toy_lld", "no frame")):
        line = f"kept without {name}: 2 of 31 utterances; what reads speech gets {given}"
        assert line in said
    assert "toy_hsf 31 utterances x 3, 2 of them without" in said
    assert "toy_lld 116 frames x 3, none of 2 utterances" in said
    assert "neither speech nor words of utterance u09" in said


@pytest.mark.parametrize("features", ["toy_hsf", "toy_lld"])
def test_baselines_see_the_same(kept, features):
    config = replace(CONFIG, features=features)
    dataset = load_dataset(kept, config, inputs=False)
    both = Baseline("", "ridge", config, speech=True, text=True)
    speech, text = blocks_of(kept, dataset, both)
    assert np.isfinite(speech).all()
    assert (speech[NO_SPEECH] == 0).all()
    assert abs(text[NO_WORDS]).sum() == 0


def test_networks_train_on_what_is_kept(kept, tmp_path):
    """Both halves, sequences and functionals, padding masked and fed: scores are numbers."""
    groups = []
    for given in ("toy_lld masked lstm", "toy_lld keras lstm", "toy_hsf masked dense"):
        features, padding, half = given.split()
        config = replace(CONFIG, features=features, padding=padding, max_epochs=2)
        config = replace(config, acoustic=half, text=half)
        runs = paired_runs({f"{features} {padding}": HParams()}, range(1))
        groups.append(Group(config, runs))
    view = run_experiment(kept.folder, tmp_path / "sweep", groups)
    assert sum(row.get("kind") != "baseline" for row in view.rows) == 3
    for row in view.rows:
        assert row["status"] == "ok"
        assert np.isfinite(list(row["test"]["rmse"].values())).all()
        assert np.isfinite(view.arrays(row["run"])["test_pred"]).all()


def test_what_is_missing_stays_so_when_folders_are_cut_down_and_joined(kept, arrays, tmp_path):
    other = prepare(
        replace_file(corpus("other")),
        tmp_path / "other",
        acoustic=arrays,
        missing_transcripts="skip",
        missing_speech="keep",
    )
    joined = join(kept.folder, other.folder, tmp_path / "joined")
    count = len(kept.utterances)
    hsf, (lld, offsets) = joined.feature("toy_hsf")[0], joined.feature("toy_lld")
    mute = [i for i in range(COUNT) if i not in MUTE]
    silent = [*NO_SPEECH, *(count + mute.index(i) for i in SILENT if i not in MUTE)]
    assert np.flatnonzero(np.isnan(hsf).all(1)).tolist() == silent
    assert np.flatnonzero(np.diff(offsets) == 0).tolist() == silent
    assert joined.manifest["features"]["toy_hsf"]["missing"] == len(silent)
    assert joined.manifest["has_transcripts"] is True
    assert len(lld) == offsets[-1]
