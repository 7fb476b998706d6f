import dataclasses
import math

import numpy as np
import pytest

from dser_jax.config import Config
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.dataset import load_dataset
from dser_jax.data.inputs import check_inputs
from dser_jax.data.prepared import scale_labels
from dser_jax.data.preparing import prepare
from dser_jax.features.functionals import hsf, nonzero_hsf
from dser_jax.system.errors import DserError

TEXTS = ("good day", "bad day", "good good night", "so bad", "a quiet night", "day after day")


def utterances(sessions=3, each=6):
    return tuple(
        Utterance(
            f"Ses{s:02d}_{i}",
            speaker=f"Ses{s:02d}{'FM'[i % 2]}",
            session=f"Ses{s:02d}",
            transcript=TEXTS[i] if s < sessions else f"unseen {TEXTS[i]}",
            valence=1.0 + (i + s) % 5,
            arousal=math.nan if i == 0 else 7.0 - i,
            dominance=math.nan,
        )
        for s in range(1, sessions + 1)
        for i in range(each)
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    corpus = Corpus("toy", utterances(), (1.0, 5.0), tolerated=(1.0, 7.0))
    random = np.random.default_rng(0)
    functionals = random.normal(3, 2, (18, 4)).astype(np.float32)
    functionals[:, 3] = 0.1  # never varies
    functionals[12:, :3] += 100  # the test session is unlike the others
    np.save(folder / "hsf.npy", functionals)
    frames = random.normal(1, 3, (18, 5, 2)).astype(np.float32)
    for i in range(18):
        frames[i, : i % 3] = 0  # padded in front by up to two frames
    np.save(folder / "lld.npy", frames)
    (folder / "vectors.txt").write_text("good 1 2\nnight 3 4\nother 5 6\n")
    return prepare(
        corpus,
        folder / "out",
        acoustic={"toy_hsf": folder / "hsf.npy", "toy_lld": folder / "lld.npy"},
        vectors={"glove": folder / "vectors.txt"},
    )


def test_labels_are_clipped_and_scaled():
    labels = np.array([[1.0, 3.0, 5.0], [0.5, 5.5, np.nan], [2.0, 4.0, 4.5]])
    expected = np.array([[-1, 0, 1], [-1, 1, np.nan], [-0.5, 0.5, 0.75]])
    np.testing.assert_allclose(scale_labels(labels, (1, 5)), expected, atol=1e-6)
    np.testing.assert_allclose(scale_labels(labels, (-1, 7))[0], [-0.5, 0, 0.5], atol=1e-6)


def test_missing_labels_are_zero_and_unknown(prepared):
    dataset = load_dataset(prepared, Config(features="toy_hsf"))
    assert dataset.attrs == ("valence", "arousal")
    assert not dataset.data.known[:, 2].any()
    assert (~dataset.data.known[:, 1]).sum() == 3
    assert np.isfinite(dataset.data.gold).all()
    assert np.isnan(dataset.gold("test")[0, 1])
    assert np.nanmax(dataset.gold("test")[:, 1]) == 1  # 5.5 is clipped to 5


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_scaler_and_vocabulary_are_fitted_where_the_protocol_says(prepared, protocol):
    dataset = load_dataset(prepared, Config(features="toy_hsf", protocol=protocol))
    rows = dataset.split.train if protocol == "strict" else np.arange(18)
    fitted = dataset.data.acoustic[rows, 0]
    np.testing.assert_allclose(fitted.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(fitted.std(0), [1, 1, 1, 0], atol=1e-5)
    assert dataset.data.acoustic.shape == (18, 1, 4)
    assert ("unseen" in dataset.tokenizer.index) == (protocol == "paper")
    assert dataset.words == len(dataset.tokenizer.index) + 1


def test_sequences_are_padded_in_front_and_standardized_over_real_frames(prepared):
    dataset = load_dataset(prepared, Config(features="toy_lld", text=None))
    acoustic = dataset.data.acoustic
    assert acoustic.shape == (18, 5, 2)
    assert (acoustic[2, :2] == 0).all()
    assert (acoustic[2, 2:] != 0).all()
    frames = np.concatenate([acoustic[i, i % 3 :] for i in dataset.split.train])
    np.testing.assert_allclose(frames.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(frames.std(0), 1, atol=1e-5)
    assert dataset.data.tokens is None


def test_tokens_are_padded_in_front(prepared):
    dataset = load_dataset(prepared, Config(acoustic=None, max_tokens=5))
    index = dataset.tokenizer.index
    expected = [0, 0, index["good"], index["good"], index["night"]]
    assert dataset.data.tokens[2].tolist() == expected
    assert dataset.data.acoustic is None


def test_word_vectors_are_laid_out_by_the_vocabulary(prepared):
    dataset = load_dataset(prepared, Config(acoustic=None, vectors="glove", embedding_dim=2))
    table, index = dataset.data.word_vectors, dataset.tokenizer.index
    assert (table.shape, dataset.embedding_dim) == ((dataset.words, 2), 2)
    np.testing.assert_array_equal(table[index["good"]], [1, 2])
    np.testing.assert_array_equal(table[index["bad"]], [0, 0])
    np.testing.assert_array_equal(table[0], [0, 0])


@pytest.mark.parametrize("use", [load_dataset, check_inputs])
def test_word_vectors_of_another_width_are_refused(prepared, use):
    with pytest.raises(DserError) as caught:
        use(prepared, Config(acoustic=None, vectors="glove"))
    said = str(caught.value)
    assert "the word vectors 'glove' have 2 dimensions; expected 300, as in glove.840B" in said
    assert f"`dser prepare --glove FILE --out {prepared.folder}`" in said
    assert said.endswith("--embedding-dim 2 uses these as they are")
    with pytest.raises(DserError, match=r"2 dimensions; expected 16; --embedding-dim 2 uses"):
        use(prepared, Config(acoustic=None, vectors="glove", embedding_dim=16))


def test_word_vectors_unlike_the_papers_are_said_under_its_protocol(prepared):
    config = Config(acoustic=None, vectors="glove", embedding_dim=2)
    assert check_inputs(prepared, config) == []
    (said,) = check_inputs(prepared, dataclasses.replace(config, protocol="paper"))
    assert "'glove' have 2 dimensions, the paper's 300 (glove.840B" in said


def test_fingerprint_follows_what_is_used(prepared):
    text = load_dataset(prepared, Config(acoustic=None))
    hsf = load_dataset(prepared, Config(features="toy_hsf"))
    lld = load_dataset(prepared, Config(features="toy_lld"))
    assert len({text.fingerprint, hsf.fingerprint, lld.fingerprint}) == 3
    assert text.truth == hsf.truth == lld.truth
    other = load_dataset(prepared, Config(features="toy_hsf", split="session:Ses01"))
    assert other.truth != hsf.truth


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config(features="paa_hsf"), r"'paa_hsf'.*toy_hsf, toy_lld"),
        (Config(features="toy_hsf", vectors="fasttext"), r"'fasttext'.*glove"),
    ],
)
def test_what_is_not_prepared_is_named(prepared, config, message):
    with pytest.raises(DserError, match=message):
        load_dataset(prepared, config)


def test_paper_protocol_takes_zeros_for_missing_in_extracted_functionals(prepared, monkeypatch):
    monkeypatch.setattr("dser_jax.data.inputs.FEATURES", {"toy_hsf": None})
    load_dataset(prepared, Config(features="toy_hsf", protocol="paper"))  # It was imported.
    monkeypatch.setitem(prepared.manifest["features"]["toy_hsf"], "source", "openSMILE")
    load_dataset(prepared, Config(features="toy_hsf", protocol="strict"))
    with pytest.raises(DserError, match=r"'toy_hsf.nonzero'"):
        load_dataset(prepared, Config(features="toy_hsf", protocol="paper"))


def test_nonzero_functionals_by_hand():
    frames = np.array([[0, 1, 0], [2, 0, 0], [4, 3, 0]], np.float32)
    # Column by column without zeros: 2, 4; 1, 3; none.
    np.testing.assert_allclose(nonzero_hsf(frames), [3, 2, 0, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(hsf(frames)[:3], [2, 4 / 3, 0], atol=1e-6)


def test_text_needs_transcripts(tmp_path):
    silent = tuple(
        Utterance(f"{i}", session=f"s{i % 3}", valence=1.0 + i // 3, file=tmp_path / "x.wav")
        for i in range(9)
    )
    folder = prepare(Corpus("silent", silent, (1.0, 5.0)), tmp_path / "out")
    with pytest.raises(DserError, match="needs a transcript for every utterance"):
        load_dataset(folder, Config(acoustic=None))


@pytest.fixture
def typeset(tmp_path):
    """A data set whose transcripts have typographic signs, and a file of vectors."""
    rows = [dataclasses.replace(u, transcript=f"don\u2019t {u.transcript}") for u in utterances()]
    (tmp_path / "vectors.txt").write_text("don't 1 2\ngood 3 4\n")
    corpus = Corpus("toy", tuple(rows), (1.0, 5.0), tolerated=(1.0, 7.0))
    return prepare(corpus, tmp_path / "out", vectors={"glove": tmp_path / "vectors.txt"})


def test_typographic_signs_are_folded_under_strict_and_told_under_paper(typeset):
    config = Config(acoustic=None, vectors="glove", embedding_dim=2)
    dataset = load_dataset(typeset, config)
    row = dataset.data.word_vectors[dataset.tokenizer.index["don't"]]
    np.testing.assert_array_equal(row, [1, 2])
    assert check_inputs(typeset, config) == []
    paper = dataclasses.replace(config, protocol="paper")
    assert "don\u2019t" in load_dataset(typeset, paper).tokenizer.index
    told = [note for note in check_inputs(typeset, paper) if "typographic" in note]
    # 18 don't and 9 good of 69 words.
    assert told == [
        "the protocol paper takes typographic signs for letters: glove knows 13.0% of all that is "
        "said, 39.1% if they were read as ASCII's"
    ]


def test_a_folder_from_before_signs_were_folded_keeps_its_words(typeset, prepared):
    manifest = {key: value for key, value in typeset.manifest.items() if key != "signs"}
    old = dataclasses.replace(typeset, manifest=manifest)
    config = Config(acoustic=None)
    assert "don\u2019t" in load_dataset(old, config).tokenizer.index
    assert "prepare it anew" in check_inputs(old, config)[0]
    assert old.fingerprint == manifest["utterances_sha256"] != typeset.fingerprint
    assert "signs" not in prepared.manifest
    assert prepared.fingerprint == prepared.manifest["utterances_sha256"]
    assert load_dataset(prepared, config).tokenizer.folds
