from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pairs import add_pairs
from vouched import rewrite, vouch

from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data import staging as module
from dser_jax.data.preparing import load_prepared, prepare
from dser_jax.features.functionals import hsf
from dser_jax.features.sets import FEATURES
from dser_jax.system.errors import BadInput, DataError, DserError


def corpus(count: int = 3, **changes) -> Corpus:
    utterances = tuple(
        Utterance(
            **{
                "id": f"u{i}",
                "speaker": "a",
                "session": str(i % 2),
                "transcript": f'He said, "{i}"\nand left',
                "valence": 1 + i / 3,
                "arousal": 2.0,
                "split": None,
                "source": f"labels.csv:{i + 2}",
                **changes,
            }
        )
        for i in range(count)
    )
    return Corpus("tiny", utterances, (1.0, 5.0))


CALLS: list[int] = []


@pytest.fixture
def spoken(tmp_path, monkeypatch) -> Corpus:
    """A corpus of four recordings, and quick features `pairs_lld` and `pairs_hsf`."""
    add_pairs(monkeypatch, CALLS.append)
    CALLS.clear()
    utterances = []
    for i, utt in enumerate(corpus(4).utterances):
        file = tmp_path / "wav" / f"r{i}.wav"
        file.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(i).uniform(-0.5, 0.5, 1600 * (i + 1))
        soundfile.write(file, noise, 16000)
        utterances.append(replace(utt, file=file))
    return Corpus("spoken", tuple(utterances), (1.0, 5.0))


def frames(prepared, name: str = "pairs_lld") -> list[np.ndarray]:
    array, offsets = prepared.feature(name)
    return [array[a:b] for a, b in pairwise(offsets)]


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_features_and_their_functionals(spoken, tmp_path):
    prepared = prepare(spoken, tmp_path / "out", features=["pairs_hsf", "pairs_lld"])
    assert len(CALLS) == 4
    parts = frames(prepared)
    assert [len(part) for part in parts] == [10, 20, 30, 40]
    array, offsets = prepared.feature("pairs_hsf")
    assert offsets is None
    np.testing.assert_array_equal(array, [hsf(part) for part in parts])
    entry = prepared.manifest["features"]["pairs_hsf"]
    assert entry["columns"] == ["x_mean", "y_mean", "x_std", "y_std"]
    assert entry["source"] == f"numpy {np.__version__} every 10 ms"
    assert files(tmp_path / "out") == {
        "manifest.json",
        "utterances.csv",
        "features/pairs_hsf.npy",
        "features/pairs_hsf.nonzero.npy",
        "features/pairs_lld.npy",
        "features/pairs_lld.offsets.npy",
        "store/pairs_lld/frames.f32",
        "store/pairs_lld/index.jsonl",
    }


def test_more_features_join_those_that_are_there(spoken, tmp_path):
    out = tmp_path / "out"
    first = prepare(spoken, out, features=["pairs_hsf"])
    second = prepare(spoken, out, features=["pairs_lld"])
    third = prepare(None, out, features=["pairs_hsf"])
    assert len(CALLS) == 4
    assert set(third.manifest["features"]) == {"pairs_hsf", "pairs_hsf.nonzero", "pairs_lld"}
    assert first.fingerprint == second.fingerprint == third.fingerprint
    names = ["pairs_hsf"]
    assert first.fingerprint_of(names) == third.fingerprint_of(names)
    assert first.fingerprint_of(names) != second.fingerprint_of(["pairs_hsf", "pairs_lld"])


def test_a_store_of_ones_own_serves_several_folders(spoken, tmp_path):
    for name in ("a", "b"):
        prepare(spoken, tmp_path / name, features=["pairs_hsf"], store=tmp_path / "store")
    assert len(CALLS) == 4
    assert not (tmp_path / "a" / "store").exists()


def test_recordings_are_converted_where_that_is_asked_for(spoken, tmp_path):
    file = tmp_path / "wav" / "r1.wav"
    signal = np.sin(np.arange(24000) / 40)
    soundfile.write(file, np.stack([signal, signal], 1), 48000)
    with pytest.raises(DataError, match=r"r1\.wav: a stereo recording .*; --convert makes it so"):
        prepare(spoken, tmp_path / "out", features=["pairs_lld"])
    for _ in range(2):
        prepared = prepare(spoken, tmp_path / "out", features=["pairs_lld"], convert=True)
    assert [len(part) for part in frames(prepared)] == [10, 50, 30, 40]
    note = "1 of 4 recordings converted to 16 kHz mono when read: 1 of 48000 Hz, 2 channels"
    assert prepared.manifest["notes"] == [note]


def test_conversions_are_counted_by_kind_and_those_without_need_not(spoken, tmp_path):
    none = prepare(spoken, tmp_path / "no", features=["pairs_hsf"], convert=True)
    assert none.manifest["notes"] == []
    for i, rate in ((0, 8000), (1, 44100), (3, 8000)):
        signal = np.sin(np.arange(rate) / 40)
        soundfile.write(tmp_path / "wav" / f"r{i}.wav", signal, rate)
    part = replace(spoken.utterances[0], id="u4", start=0.1, end=0.9)  # Of the same recording.
    more = replace(spoken, utterances=(*spoken.utterances, part))
    prepared = prepare(more, tmp_path / "out", features=["pairs_hsf"], convert=True)
    assert prepared.manifest["notes"] == [
        "3 of 4 recordings converted to 16 kHz mono when read: 2 of 8000 Hz, mono; 1 of 44100 Hz, "
        "mono"
    ]


def test_a_corpus_that_moved_is_the_same(spoken, tmp_path):
    prepare(spoken, tmp_path / "out", features=["pairs_hsf"])
    (tmp_path / "wav").rename(tmp_path / "moved")
    moved = [replace(u, file=tmp_path / "moved" / u.file.name) for u in spoken.utterances]
    again = prepare(replace(spoken, utterances=tuple(moved)), tmp_path / "out")
    assert again.utterances[0].file == tmp_path / "moved" / "r0.wav"
    assert len(CALLS) == 4


def test_another_corpus_is_refused(spoken, tmp_path):
    prepare(spoken, tmp_path / "out")
    changed = list(spoken.utterances)
    changed[2] = replace(changed[2], arousal=4.0)
    with pytest.raises(DserError) as caught:
        prepare(replace(spoken, utterances=tuple(changed)), tmp_path / "out")
    assert str(caught.value) == (
        f"{tmp_path / 'out'}: holds another corpus, or another version of it: it was prepared from "
        "spoken with 4 utterances, and this is spoken with 4; row 3 (u2) differs first, in its "
        "arousal: '4.0', was '2.0'; choose another --out"
    )
    with pytest.raises(DserError, match=r"labels are from 0 to 5, were from 1 to 5; choose ano"):
        prepare(replace(spoken, scale=(0.0, 5.0)), tmp_path / "out")
    with pytest.raises(DserError, match="with 4 utterances, and this is tiny with 3; row 1"):
        prepare(corpus(3), tmp_path / "out")


def test_a_bad_recording_leaves_every_array_aligned(spoken, tmp_path):
    """It leaves the table, also where other features had it already."""
    out = tmp_path / "out"
    mine = np.arange(8).reshape(4, 2)
    np.save(tmp_path / "mine.npy", mine)
    np.save(tmp_path / "seq.npy", np.ones((4, 3, 1)) * mine[:, :1, None] + 1)
    acoustic = {"mine": tmp_path / "mine.npy", "seq": tmp_path / "seq.npy"}
    before = prepare(spoken, out, acoustic=acoustic)
    soundfile.write(tmp_path / "wav" / "r1.wav", np.zeros(900), 8000)
    with pytest.raises(DataError, match=r"r1\.wav: not a 16 kHz recording \(of labels\.csv:3\)"):
        prepare(spoken, out, features=["pairs_lld"])
    assert load_prepared(out).manifest == before.manifest
    bad = BadInput(skip=True)
    after = prepare(spoken, out, features=["pairs_lld", "pairs_hsf"], bad=bad)
    assert [utt.id for utt in after.utterances] == ["u0", "u2", "u3"]
    assert after.manifest["left_out"] == [str(error) for error in bad.left_out]
    assert len(after.manifest["left_out"]) == 1
    assert after.fingerprint != before.fingerprint
    np.testing.assert_array_equal(after.feature("mine")[0], mine[[0, 2, 3]])
    assert [part.tolist() for part in frames(after, "seq")] == [[[k]] * 3 for k in (1, 5, 7)]
    assert [len(part) for part in frames(after)] == [10, 30, 40]
    assert len(after.feature("pairs_hsf")[0]) == 3
    # What was left out stays so: the folder goes on with the same corpus, and with whole files.
    np.save(tmp_path / "kept.npy", mine[[0, 2, 3]])
    for given in (spoken, None):
        last = prepare(given, out, acoustic={"a": acoustic["mine"], "b": tmp_path / "kept.npy"})
        np.testing.assert_array_equal(last.feature("a")[0], last.feature("b")[0])
        np.testing.assert_array_equal(last.feature("a")[0], mine[[0, 2, 3]])
        assert last.fingerprint == after.fingerprint
        assert last.manifest["left_out"] == after.manifest["left_out"]


def test_a_recording_without_a_sound_is_bad(spoken, tmp_path):
    soundfile.write(tmp_path / "wav" / "r1.wav", np.zeros(1600), 16000)
    tone = 0.3 * np.sin(np.arange(4800) * 0.1)
    soundfile.write(tmp_path / "wav" / "r2.wav", np.stack([tone, -tone], 1), 16000)
    with pytest.raises(DataError, match=r"r1\.wav: a silent recording \(of labels\.csv:3\)"):
        prepare(spoken, tmp_path / "out", features=["pairs_lld"], convert=True)
    bad = BadInput(skip=True)
    after = prepare(spoken, tmp_path / "out", features=["pairs_lld"], convert=True, bad=bad)
    assert [utt.id for utt in after.utterances] == ["u0", "u3"]
    silent, cancelled = after.manifest["left_out"]
    assert "r1.wav: a silent recording" in silent
    assert "r2.wav: channels that cancel out" in cancelled


def test_recordings_that_overshoot_are_counted_once(spoken, tmp_path):
    """Also where what was extracted of them is in the store already."""
    for i, peak in ((1, 1.25), (3, 1.5)):
        samples = np.append(np.random.default_rng(i).uniform(-0.5, 0.5, 1599), peak)
        soundfile.write(tmp_path / "wav" / f"r{i}.wav", samples, 16000, subtype="FLOAT")
    for out in ("one", "two"):
        names = ["pairs_lld", "pairs_hsf"]
        found = prepare(spoken, tmp_path / out, features=names, store=tmp_path / "store")
        (note,) = found.manifest["notes"]
        loudest = tmp_path / "wav" / "r3.wav"
        assert note.startswith(f"2 recordings reach above 1, {loudest} 1.5: ")
    assert len(CALLS) == 4


def test_a_bad_row_of_imported_features(spoken, tmp_path):
    array = np.ones((4, 2))
    array[3, 0] = np.nan
    np.save(tmp_path / "mine.npy", array)
    acoustic = {"mine": tmp_path / "mine.npy"}
    with pytest.raises(DataError, match=r"row 4 \(utterance u3\) cannot be used, found 'nan as"):
        prepare(spoken, tmp_path / "out", acoustic=acoustic)
    bad = BadInput(skip=True)
    prepared = prepare(spoken, tmp_path / "out", acoustic=acoustic, bad=bad)
    assert [utt.id for utt in prepared.utterances] == ["u0", "u1", "u2"]
    assert len(prepared.feature("mine")[0]) == 3


def test_a_note_of_what_was_trimmed(tmp_path):
    array = np.zeros((3, 4, 1))
    array[:, 2:] = 1
    np.save(tmp_path / "mine.npy", array)
    prepared = prepare(corpus(), tmp_path / "out", acoustic={"mine": tmp_path / "mine.npy"})
    assert "6 frames in front" in prepared.manifest["notes"][0]


def test_word_vectors(tmp_path):
    glove = tmp_path / "glove.txt"
    glove.write_text("the 1 1\nsaid 2 3\nhe 4 5\n1 6 7\n")
    prepared = prepare(corpus(), tmp_path / "out", vectors={"glove": glove})
    words, matrix = prepared.vectors("glove")
    assert words == ("he", "said", "1")
    np.testing.assert_array_equal(matrix, np.float32([[4, 5], [2, 3], [6, 7]]))
    entry = dict(prepared.manifest["vectors"]["glove"])
    assert len(entry.pop("sha256")) == 64
    assert entry == {"dim": 2, "types": 7, "types_found": 3, "tokens": 15, "tokens_found": 7}


def test_a_transcript_without_audio_and_the_reverse(spoken, tmp_path):
    glove = tmp_path / "glove.txt"
    glove.write_text("said 2 3\n")
    mixed = list(spoken.utterances)
    mixed[0] = replace(mixed[0], file=None)
    mixed[2] = replace(mixed[2], transcript=None)
    mixed = replace(spoken, utterances=tuple(mixed))
    assert prepare(mixed, tmp_path / "a").manifest["has_transcripts"] is False
    with pytest.raises(DataError, match=r"csv:2: no recording of utterance u0; expected speech of"):
        prepare(mixed, tmp_path / "b", features=["pairs_hsf"])
    with pytest.raises(DataError, match=r"csv:4: no transcript of utterance u2; expected words fo"):
        prepare(mixed, tmp_path / "b", vectors={"glove": glove})
    bad = BadInput(skip=True)
    both = prepare(mixed, tmp_path / "b", features=["pairs_hsf"], vectors={"glove": glove}, bad=bad)
    assert [utt.id for utt in both.utterances] == ["u1", "u3"]
    assert len(bad.left_out) == 2


def test_nothing_left(tmp_path):
    with pytest.raises(DataError, match="a transcript without audio: no utterance has a recording"):
        prepare(corpus(), tmp_path / "out", features=["paa_hsf"], bad=BadInput(skip=True))
    with pytest.raises(DataError, match="audio without a transcript: no utterance has words"):
        prepare(corpus(transcript=None), tmp_path / "out", vectors={"glove": tmp_path / "x"})
    gone = corpus(file=tmp_path / "gone.wav")
    with pytest.raises(DataError, match="no utterance is left"):
        prepare(gone, tmp_path / "out", features=["paa_hsf"], bad=BadInput(skip=True))


def test_names(tmp_path):
    with pytest.raises(DserError, match=r"no features 'mfcc'; there are gemaps_lld, gemaps_hsf"):
        prepare(corpus(), tmp_path / "out", features=["mfcc"])
    for name in ("../x", "a b", "", "paa_hsf.nonzero"):
        with pytest.raises(DserError, match="cannot name features of your own"):
            prepare(corpus(), tmp_path / "out", acoustic={name: "x.npy"})
    with pytest.raises(DserError, match=r"no word vectors 'word2vec'; there are glove, fasttext"):
        prepare(corpus(), tmp_path / "out", vectors={"word2vec": "x"})
    twice = Corpus("twice", (*corpus(1).utterances, *corpus(1).utterances), (1.0, 5.0))
    with pytest.raises(DataError, match=r"of one id, labels\.csv:2 and labels.*leave all but one"):
        prepare(twice, tmp_path / "out")
    bare = tuple(replace(utt, source="") for utt in twice.utterances)
    with pytest.raises(DataError, match=r"two utterances of one id, row 1 and row 2,"):
        prepare(replace(twice, utterances=bare), tmp_path / "out")


def test_labels_off_the_scale_are_refused_or_left_out(tmp_path):
    rows = tuple(replace(u, valence=float(i * 4)) for i, u in enumerate(corpus(3).utterances, 1))
    off = Corpus("off", rows, (1.0, 5.0))
    with pytest.raises(DataError) as caught:
        prepare(off, tmp_path / "out")
    assert str(caught.value) == (
        "labels.csv:3: the valence of utterance u1 is off the scale, found 8.0; expected a number "
        "from 1 to 5, the scale of off"
    )
    kept = prepare(off, tmp_path / "out", bad=BadInput(skip=True))
    assert [utt.id for utt in kept.utterances] == ["u0"]
    assert len(kept.manifest["left_out"]) == 2
    assert len(prepare(off, tmp_path / "out").utterances) == 1  # They are out for good.
    by_attribute = replace(off, scale={"valence": (1.0, 12.0), "arousal": (1.0, 2.0)})
    assert len(prepare(by_attribute, tmp_path / "wide").utterances) == 3


def test_a_corpus_may_tolerate_labels_off_its_scale(tmp_path):
    rows = tuple(replace(u, valence=5.5) for u in corpus(1).utterances)
    tolerant = Corpus("tolerant", rows, (1.0, 5.0), tolerated=(0.0, 6.0))
    assert prepare(tolerant, tmp_path / "out").labels[0, 0] == 1.0  # The end of the scale.
    with pytest.raises(DataError, match=r"found 5\.5; expected a number from 2 to 5\.2"):
        prepare(replace(tolerant, tolerated=(2.0, 5.2)), tmp_path / "other")


def test_only_labelled_attributes_are_named(tmp_path):
    assert prepare(corpus(), tmp_path).manifest["attributes"] == ["valence", "arousal"]


def test_adding_to_a_folder_that_is_none(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        prepare(None, tmp_path / "out", features=["paa_hsf"])
    assert not (tmp_path / "out").exists()


def test_an_end_before_the_manifest_leaves_what_was_there(spoken, tmp_path, monkeypatch):
    out = tmp_path / "out"
    before = prepare(spoken, out, features=["pairs_hsf"]).manifest

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_table", fail)
    with pytest.raises(KeyboardInterrupt):
        prepare(spoken, out, features=["pairs_lld"])
    monkeypatch.undo()
    assert load_prepared(out).manifest == before
    prepare(spoken, out)
    assert not (out / ".new").exists()


def test_files_that_are_not_those_of_the_manifest(spoken, tmp_path):
    prepared = prepare(spoken, tmp_path, features=["pairs_hsf"])
    path = tmp_path / "features" / "pairs_hsf.npy"
    for damage in (b"\x93NUMPY", b"", path.read_bytes()[:-1]):
        path.write_bytes(damage)
        with pytest.raises(DataError, match=r"--features pairs_hsf --out .*` writes it again"):
            prepared.feature("pairs_hsf")
    path.unlink()
    with pytest.raises(DataError, match=r"pairs_hsf\.npy: cannot be read \(No such file"):
        prepared.feature("pairs_hsf")
    again = prepare(None, tmp_path, features=["pairs_hsf"])
    assert again.feature("pairs_hsf")[0].shape == (4, 4)
    assert len(CALLS) == 4


def test_features_that_do_not_fit_the_table(spoken, tmp_path):
    """They are what the manifest says, but of another table."""
    prepare(spoken, tmp_path, features=["pairs_hsf"])
    path = tmp_path / "features" / "pairs_hsf.npy"
    np.save(path, np.ones((2, 4), np.float32))
    rewrite(tmp_path, lambda manifest: vouch(manifest["features"]["pairs_hsf"], path))
    with pytest.raises(DataError, match=r"do not fit the table, found '2 utterances, shape \(2"):
        load_prepared(tmp_path).feature("pairs_hsf")


def test_the_real_features(spoken, tmp_path):
    names = [name for name in FEATURES if not name.startswith("pairs")]
    prepared = prepare(spoken, tmp_path / "out", features=names)
    for name in names:
        array, offsets = prepared.feature(name)
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert (offsets is None) == name.endswith("_hsf")
        assert array.shape[1] == {"gem": 23, "paa": 34}[name[:3]] * (1 + name.endswith("_hsf"))


def test_the_table_comes_back(tmp_path):
    whole = corpus(file=Path("somewhere") / "a.wav", start=0.25, end=1 / 3)
    prepared = prepare(whole, tmp_path / "out", command="dser prepare")
    again = load_prepared(tmp_path / "out")
    assert again.manifest == prepared.manifest
    assert again.manifest["utterances"] == 3
    assert again.manifest["has_transcripts"] is True
    for want, got in zip(whole.utterances, again.utterances, strict=True):
        assert math.isnan(got.dominance)
        for name in ("id", "transcript", "valence", "start", "end", "split", "session", "source"):
            assert getattr(got, name) == getattr(want, name)


def test_the_fingerprint_follows_the_content_and_not_the_place(tmp_path):
    def fingerprint(name, **changes):
        return prepare(corpus(**changes), tmp_path / name).fingerprint

    first = fingerprint("a", file=Path("here/a.wav"))
    assert first == fingerprint("b", file=Path("there/a.wav"), source="elsewhere:1")
    assert first != fingerprint("c", file=Path("here/b.wav"))
    assert first != fingerprint("d", file=Path("here/a.wav"), valence=2.0)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(DataError, match="there is no such folder; expected a folder that"):
        load_prepared(tmp_path / "no")
    with pytest.raises(DataError, match=r"there is no manifest\.json"):
        load_prepared(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json: not what was written"):
        load_prepared(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema": 7}')
    with pytest.raises(DataError, match="found 'schema 7'; expected schema 1"):
        load_prepared(tmp_path)


def test_an_edited_table_is_noticed(tmp_path):
    prepare(corpus(), tmp_path)
    table = tmp_path / "utterances.csv"
    table.write_text(table.read_text().replace("u1", "u9"))
    with pytest.raises(DataError, match="the table is not the one that was prepared"):
        load_prepared(tmp_path)


def test_an_unknown_feature_names_those_there_are(tmp_path):
    prepared = prepare(corpus(), tmp_path)
    with pytest.raises(DataError, match=r"found 'gemaps_hsf'; expected one of .*\(none\)"):
        prepared.feature("gemaps_hsf")
