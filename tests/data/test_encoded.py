"""Features of encoders, and features of the words from elsewhere, in a prepared folder."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import small_encoders
import soundfile
from rich.console import Console

from dser_jax.cli import main
from dser_jax.commands.prepare.features import encodings
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.inspection import inspect, summary
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.features.encoders.request import make_encoding
from dser_jax.system.errors import DataError, DserError

TEXTS = ["the cat sat", "a dog ran far away", "good", "the cat sat"]


def make_corpus(count=4, **changes):
    utterances = [
        Utterance(f"u{i}", "s", "S", transcript=TEXTS[i], valence=float(i), source=f"t.csv:{i + 2}")
        for i in range(count)
    ]
    return Corpus("tiny", tuple(replace(utt, **changes) for utt in utterances), (0.0, 5.0))


def npy(folder, name, *shape):
    np.save(folder / f"{name}.npy", np.random.default_rng(0).normal(size=shape))
    return folder / f"{name}.npy"


def printed(prepared):
    console = Console(file=io.StringIO(), width=160)
    inspect(prepared, console)
    return console.file.getvalue()


def test_features_of_the_words_are_of_text(tmp_path):
    """They are read as those of speech are, and belong to the other half."""
    files = {"words": npy(tmp_path, "words", 4, 3), "steps": npy(tmp_path, "steps", 4, 5, 3)}
    sound = npy(tmp_path, "sound", 4, 2)
    prepared = prepare(make_corpus(), tmp_path / "data", acoustic={"sound": sound}, text=files)
    assert [prepared.half_of(name) for name in ("sound", "words", "steps")] == [
        "speech",
        "text",
        "text",
    ]
    assert prepared.manifest["features"]["words"]["source"] == "imported from words.npy"
    assert "text" in printed(prepared)
    assert "steps: 20 tokens x 3" in summary(prepared, ["steps"])
    (prepared.folder / "features" / "words.npy").write_bytes(b"")
    with pytest.raises(DataError, match="--text words=FILE"):
        prepared.feature("words")


def test_rows_that_lack_them_lack_words(tmp_path):
    """The rule for rows without words is asked, and not the one for rows without speech."""
    array = np.ones((4, 3))
    array[2] = np.nan
    np.save(tmp_path / "words.npy", array)
    given = {"text": {"words": tmp_path / "words.npy"}}
    with pytest.raises(DataError, match="--missing-transcripts keep"):
        prepare(make_corpus(), tmp_path / "data", missing_speech="keep", **given)
    kept = prepare(make_corpus(), tmp_path / "data", missing_transcripts="keep", **given)
    assert np.isnan(kept.feature("words")[0][2]).all()
    silent = make_corpus(transcript=None)
    alone = prepare(silent, tmp_path / "silent", missing_transcripts="skip", **given)
    assert [utt.id for utt in alone.utterances] == ["u0", "u1", "u3"]


def test_names_that_are_taken(tmp_path):
    words = npy(tmp_path, "words", 4, 3)
    for name, options in {
        "glove": {"text": {"glove": words}},
        "words": {"text": {"words": words}, "acoustic": {"words": words}},
        "paa_hsf": {"encode": [make_encoding("text", "tiny", name="paa_hsf")]},
        "mine": {"text": {"mine": words}, "encode": [make_encoding("text", "tiny", name="mine")]},
    }.items():
        with pytest.raises(DserError, match=f"called '{name}'|'{name}' names other features"):
            prepare(make_corpus(), tmp_path / "data", **options)


def asked(*given):
    """Parses the options of `dser prepare`; returns the encoders that are asked for."""
    import argparse

    from dser_jax.commands.prepare.features import add_features

    parser = argparse.ArgumentParser()
    add_features(parser)
    return encodings(parser.parse_args(given))


def test_options_for_one_and_for_both():
    both = ("--encode", "speech=a", "--encode", "text=b")
    assert asked("--encode", "text=b", "--encode-layers", "2:6", "--encode-as", "words") == [
        make_encoding("text", "b", "2:6", name="words")
    ]
    assert asked(*both, "--encode-layers", "all", "--encode-pool", "text=none") == [
        make_encoding("speech", "a", "all"),
        make_encoding("text", "b", "all", "none"),
    ]
    for wrong, says in [
        (("--encode", "words=a"), "expected speech or text before ="),
        (("--encode-layers", "4"), "--encode-layers belongs to --encode"),
        (("--float16",), "--float16 belongs to --encode"),
        (("--encode", "text=b", "--encode-as", "speech=a"), "no --encode speech="),
        (("--encode", "text=b", "--encode-pool", "mean", "none"), "expected one"),
    ]:
        with pytest.raises(DserError, match=says):
            asked(*wrong)


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    pytest.importorskip("torch", reason="PyTorch is not installed: EXTRA=encoders")
    pytest.importorskip("transformers", reason="transformers is not installed: EXTRA=encoders")
    return small_encoders.save_text("bert", tmp_path_factory.mktemp("text") / "bert")


@pytest.fixture(scope="module")
def speech_model(tmp_path_factory):
    pytest.importorskip("torch", reason="PyTorch is not installed: EXTRA=encoders")
    pytest.importorskip("transformers", reason="transformers is not installed: EXTRA=encoders")
    return small_encoders.save_speech("hubert", tmp_path_factory.mktemp("speech") / "hubert")


def test_both_halves_by_the_command_line(tmp_path, capsys, text_model, speech_model):
    lines = ["file,transcript,valence,session"]
    for i, text in enumerate(TEXTS):
        noise = np.random.default_rng(i).uniform(-0.3, 0.3, 3200 + 400 * i)
        soundfile.write(tmp_path / f"r{i}.wav", noise, 16000)
        lines.append(f"r{i}.wav,{text},{i},S{i % 2}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    out = str(tmp_path / "out")
    main(
        [
            *("prepare", "--corpus", "table", str(tmp_path / "labels.csv"), "--scale", "0", "5"),
            *("--encode", f"speech={speech_model}", "--encode", f"text={text_model}"),
            *("--encode-layers", "1:3", "--encode-pool", "speech=none", "--yes", "--out", out),
        ]
    )
    told = capsys.readouterr()
    assert "hubert: 4 recordings; 186 rows x 48 x 4 bytes are 35.7 kB in the store" in told.err
    assert "bert: 3 texts; 3 rows x 48 x 4 bytes are 576 bytes in the store" in told.err
    assert "bert: 4 utterances x 3 layers x 16" in told.out
    prepared = load_prepared(out)
    speech, text = (prepared.manifest["features"][name] for name in ("hubert", "bert"))
    assert (speech["kind"], speech["layers"], "half" in speech) == ("lld", 3, False)
    assert (text["kind"], text["layers"], text["half"]) == ("hsf", 3, "text")
    assert text["encoder"]["layers"] == [1, 2, 3]
    assert text["encoder"]["model"] == str(text_model)
    assert speech["columns"][15:17] == ["layer1_15", "layer2_0"]
    assert "layers 1:3" in printed(prepared)
    array, _ = prepared.feature("bert")
    np.testing.assert_array_equal(array[0], array[3])
    (prepared.folder / "features" / "hubert.npy").write_bytes(b"")
    with pytest.raises(DataError, match="--encode-layers 1,2,3 --encode-pool none --encode-as hub"):
        prepared.feature("hubert")


def test_a_row_without_words(tmp_path, text_model):
    """An empty text is none: the rule for such rows decides."""
    corpus = make_corpus()
    utterances = [replace(corpus.utterances[0], transcript=" "), *corpus.utterances[1:]]
    corpus = replace(corpus, utterances=tuple(utterances))
    encode = [make_encoding("text", str(text_model))]
    with pytest.raises(DataError, match="no transcript of utterance u0"):
        prepare(corpus, tmp_path / "out", encode=encode)
    acoustic = {"mine": npy(tmp_path, "mine", 4, 2)}
    options = {"encode": encode, "acoustic": acoustic, "missing_transcripts": "keep"}
    prepared = prepare(corpus, tmp_path / "out", **options)
    array, _ = prepared.feature("bert")
    assert np.isnan(array).all(1).tolist() == [True, False, False, False]
    assert prepared.manifest["features"]["bert"]["missing"] == 1
    with pytest.raises(DataError, match="no utterance has words"):
        prepare(make_corpus(transcript=None), tmp_path / "none", encode=encode)


def test_speech_needs_recordings(tmp_path, speech_model):
    with pytest.raises(DataError, match="no utterance has a recording"):
        prepare(
            make_corpus(), tmp_path / "out", encode=[make_encoding("speech", str(speech_model))]
        )
