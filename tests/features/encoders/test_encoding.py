"""Layers of frozen encoders: those of transformers itself, whatever shares a batch with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import small_encoders
import soundfile

from dser_jax.corpora.utterances import Utterance
from dser_jax.features.encoders import batches, encoding, libraries
from dser_jax.features.encoders.encoder import open_encoder
from dser_jax.features.encoders.request import make_encoding
from dser_jax.features.store import Store
from dser_jax.system.errors import BadInput, DataError, DserError

pytest.importorskip("torch", reason="PyTorch is not installed: EXTRA=encoders")
pytest.importorskip("transformers", reason="transformers is not installed: EXTRA=encoders")

TEXTS = ["the cat sat", "a dog ran far away and the cat sat on a mat", "good", "the cat sat"]
SAMPLES = (9000, 4000, 12345, 4000)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("encoders")
    save = small_encoders.save_speech
    speech = {kind: save(kind, top / kind) for kind in small_encoders.SPEECH}
    return speech | {
        kind: small_encoders.save_text(kind, top / kind) for kind in small_encoders.TEXT
    }


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> list[Utterance]:
    folder = tmp_path_factory.mktemp("spoken")
    random = np.random.default_rng(0)
    utterances = []
    for i, count in enumerate(SAMPLES):
        sound = np.round(random.normal(0, 0.1, count) * 2**15) / 2**15
        soundfile.write(folder / f"{i}.wav", sound, 16000)
        utterances.append(Utterance(f"u{i}", file=folder / f"{i}.wav", source=f"t.csv:{i + 2}"))
    return utterances


@pytest.fixture
def written() -> list[Utterance]:
    return [
        Utterance(f"u{i}", transcript=text, source=f"t.csv:{i + 2}") for i, text in enumerate(TEXTS)
    ]


def features(model, half, utterances, place, *, bad=None, float16=False, said=None, **options):
    """Encodes, and reads from the store what there is of each utterance."""
    encoder = open_encoder(make_encoding(half, str(model), **options))
    keys = encoding.encode(
        encoder, utterances, place, bad=bad or BadInput(), half=float16, said=said
    )
    store = Store(place, encoder.width, float16)
    return encoder, [None if key is None else np.array(store[key]) for key in keys]


def side_by_side(layers: np.ndarray, pool: str) -> np.ndarray:
    """Pools layers, [layer, step, unit], the first layer's columns first."""
    rows = []
    for layer in layers.astype(np.float64):
        mean, deviation = layer.mean(0, keepdims=True), layer.std(0, keepdims=True)
        rows.append({"mean": [mean], "mean+sd": [mean, deviation], "none": [layer]}[pool])
    return np.concatenate([part for parts in rows for part in parts], axis=1)


@pytest.mark.parametrize("together", [1, 64], ids=["alone", "together"])
@pytest.mark.parametrize("kind", small_encoders.SPEECH)
def test_speech_is_what_transformers_gives(folders, spoken, tmp_path, monkeypatch, kind, together):
    monkeypatch.setattr(batches, "ROWS", together)
    signals = [soundfile.read(utt.file, dtype="float32")[0] for utt in spoken]
    want = small_encoders.one_by_one(folders[kind], signals)
    if kind == "whisper":  # Of its window of a second only as much as there is speech.
        want = [
            each[:, : -(-len(signal) // 320)] for each, signal in zip(want, signals, strict=True)
        ]
    for pool in ("mean", "mean+sd", "none"):
        encoder, found = features(
            folders[kind], "speech", spoken, tmp_path / pool, layers="0,2:3", pool=pool
        )
        assert encoder.layers == (0, 2, 3)
        for row, layers in zip(found, want, strict=True):
            wanted = side_by_side(layers[[0, 2, 3]], pool)
            assert row.shape == wanted.shape == (len(wanted), len(encoder.columns))
            np.testing.assert_allclose(row, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("together", [1, 64], ids=["alone", "together"])
@pytest.mark.parametrize("kind", small_encoders.TEXT)
def test_text_is_what_transformers_gives(folders, written, tmp_path, monkeypatch, kind, together):
    """The mean is over all tokens, [CLS] and [SEP] included, and over no padding."""
    monkeypatch.setattr(batches, "ROWS", together)
    inside = folders[kind] / "0_Transformer" if kind == "sentences" else folders[kind]
    longest = 12 if kind == "sentences" else 18
    options = {"text": True, "truncation": True, "max_length": longest}
    want = small_encoders.one_by_one(inside, TEXTS, **options)
    for pool in ("mean", "mean+sd", "none"):
        encoder, found = features(
            folders[kind], "text", written, tmp_path / pool, layers="all", pool=pool
        )
        assert encoder.layers == (0, 1, 2, 3)
        assert encoder.entry()["layers"] == 4
        for row, layers in zip(found, want, strict=True):
            np.testing.assert_allclose(row, side_by_side(layers, pool), rtol=1e-5, atol=1e-5)
    assert len(Store(tmp_path / "mean", encoder.width)) == 3  # One text occurs twice.


def test_the_last_layer_is_the_default(folders, written, tmp_path):
    encoder, found = features(folders["bert"], "text", written, tmp_path)
    want = small_encoders.one_by_one(folders["bert"], TEXTS[:1], text=True)[0][-1].mean(0)
    np.testing.assert_allclose(found[0][0], want, rtol=1e-5, atol=1e-5)
    assert "layers" not in encoder.entry()
    assert encoder.name == "bert"
    assert encoder.columns[:2] == ("layer3_0", "layer3_1")


def test_what_is_done_is_not_done_again(folders, spoken, tmp_path, monkeypatch):
    done = []
    whole = encoding.batches

    def interrupted(*given):
        for number, batch in enumerate(whole(*given)):
            if number == 1:
                raise KeyboardInterrupt
            done.extend(batch)
            yield batch

    monkeypatch.setattr(batches, "ROWS", 1)
    monkeypatch.setattr(encoding, "batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        features(folders["hubert"], "speech", spoken, tmp_path / "store")
    assert len(done) == 1
    again = []

    def counted(*given):
        for batch in whole(*given):
            again.extend(batch)
            yield batch

    monkeypatch.setattr(encoding, "batches", counted)
    _, found = features(folders["hubert"], "speech", spoken, tmp_path / "store")
    assert len(again) == 3
    assert not {*done} & {*again}
    _, fresh = features(folders["hubert"], "speech", spoken, tmp_path / "fresh")
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(fresh), atol=1e-6)


def test_nothing_is_loaded_where_all_is_there(folders, written, tmp_path, monkeypatch):
    features(folders["bert"], "text", written, tmp_path)
    monkeypatch.setattr(encoding, "TextNetwork", None)
    features(folders["bert"], "text", written, tmp_path)


def test_half_precision_is_a_matter_of_the_store(folders, written, tmp_path):
    _, whole = features(folders["bert"], "text", written, tmp_path / "whole")
    _, half = features(folders["bert"], "text", written, tmp_path / "half", float16=True)
    np.testing.assert_allclose(np.concatenate(half), np.concatenate(whole), rtol=1e-3, atol=1e-3)
    assert half[0].dtype == np.float32
    sizes = [(tmp_path / name).stat().st_size for name in ("whole/frames.f32", "half/frames.f16")]
    assert sizes[0] == 2 * sizes[1]


def test_another_sampling_rate_is_refused(tmp_path, spoken):
    folder = small_encoders.save_speech("wav2vec2", tmp_path / "fast", sampling_rate=8000)
    with pytest.raises(DataError, match=r"preprocessor_config\.json.*8000 Hz"):
        features(folder, "speech", spoken, tmp_path / "store")


def test_what_is_too_short_is_said(folders, spoken, tmp_path):
    """50 ms of speech are enough for any other features, and not for these convolutions."""
    folder = small_encoders.save_speech("wav2vec2", tmp_path / "slow", (10, 40, 40))
    short = tmp_path / "short.wav"
    soundfile.write(short, np.random.default_rng(1).normal(0, 0.1, 800), 16000)
    utterances = [Utterance("short", file=short), spoken[0]]
    encoder = open_encoder(make_encoding("speech", str(folder)))
    with pytest.raises(DataError, match=r"short\.wav: too short for slow.*0\.05 s.*at least 0\.0"):
        encoding.encode(encoder, utterances, tmp_path / "store", bad=BadInput())


def test_what_is_too_long_is_cut_and_counted(folders, tmp_path):
    long = "the cat sat on a mat and ran far away " * 3
    utterances = [Utterance("long", transcript=long), Utterance("short", transcript="good")]
    for kind, longest in (("bert", 18), ("roberta", 18), ("sentences", 12)):
        said = []
        place = tmp_path / kind
        _, found = features(folders[kind], "text", utterances, place, said=said, pool="none")
        assert [len(rows) for rows in found] == [longest, 3]
        assert said == [
            f"{kind}: 1 text of more than {longest} tokens, of which the encoder reads the first"
        ]


def test_speech_that_is_longer_than_a_window(folders, spoken, tmp_path):
    """Whisper hears windows, here of a second, one after the other."""
    sound = np.random.default_rng(2).normal(0, 0.1, 40000).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", sound, 16000, subtype="FLOAT")
    said = []
    utterances = [Utterance("long", file=tmp_path / "long.wav"), spoken[0]]
    _, found = features(
        folders["whisper"], "speech", utterances, tmp_path / "store", said=said, pool="none"
    )
    windows = [sound[:16000], sound[16000:32000], sound[32000:]]
    parts = small_encoders.one_by_one(folders["whisper"], windows)
    want = np.concatenate([parts[0][-1], parts[1][-1], parts[2][-1][:25]])
    np.testing.assert_allclose(found[0], want, atol=1e-5)
    assert said == ["whisper: 1 recording of more than 1 s, heard in windows of that length"]


def test_a_bad_recording_is_left_out(folders, spoken, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    utterances = [spoken[0], Utterance("bad", file=tmp_path / "bad.wav"), spoken[1]]
    with pytest.raises(DataError, match=r"bad\.wav"):
        features(folders["hubert"], "speech", utterances, tmp_path / "store")
    bad = BadInput(skip=True)
    _, found = features(folders["hubert"], "speech", utterances, tmp_path / "store", bad=bad)
    assert [each is None for each in found] == [False, True, False]
    assert "bad.wav" in str(bad.left_out[0])


def test_a_batch_that_does_not_fit_is_halved(folders, written, tmp_path, monkeypatch):
    import torch

    whole = encoding.TextNetwork

    class Small(whole):
        def __call__(self, tokens):
            if len(tokens) > 1:
                raise torch.OutOfMemoryError
            return super().__call__(tokens)

    monkeypatch.setattr(encoding, "TextNetwork", Small)
    _, found = features(folders["bert"], "text", written, tmp_path / "halved")
    monkeypatch.setattr(encoding, "TextNetwork", whole)
    _, want = features(folders["bert"], "text", written, tmp_path / "whole")
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(want), atol=1e-6)


def test_the_same_weights_are_known_wherever_they_lie(folders, tmp_path):
    moved = shutil.copytree(folders["bert"], tmp_path / "elsewhere")
    first, second = (
        open_encoder(make_encoding("text", str(folder), name="words"))
        for folder in (folders["bert"], moved)
    )
    assert first.place == second.place
    asked = make_encoding("text", str(moved), name="words")._replace(kept="ab" * 32)
    with pytest.raises(DataError, match=r"not the encoder of the features words.*abababababab"):
        open_encoder(asked)
    other = open_encoder(make_encoding("text", str(moved), layers="1", name="words"))
    assert other.place != first.place


@pytest.mark.parametrize(
    ("half", "kind", "options", "says"),
    [
        ("speech", "bert", {}, "reads text"),
        ("text", "wav2vec2", {}, "reads speech"),
        ("text", "bert", {"layers": "4"}, "has the layers 0 to 3"),
    ],
)
def test_what_an_encoder_has_not_is_refused(folders, half, kind, options, says):
    with pytest.raises(DserError, match=says):
        open_encoder(make_encoding(half, str(folders[kind]), **options))


def test_what_is_no_encoder_is_refused(folders, tmp_path):
    with pytest.raises(DataError, match=r"no such folder.*hf download"):
        open_encoder(make_encoding("text", str(tmp_path / "none")))
    with pytest.raises(DataError, match=r"no config\.json"):
        open_encoder(make_encoding("text", str(tmp_path)))
    folder = shutil.copytree(folders["bert"], tmp_path / "bert")
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="no weights in it"):
        open_encoder(make_encoding("text", str(folder)))


def test_weights_that_are_missing_are_said(folders, written, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(folders["bert"], tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    part = {name: array for name, array in weights.items() if "layer.1.output.dense" not in name}
    save_file(part, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=r"weights are missing, .*layer\.1\.output\.dense"):
        features(folder, "text", written, tmp_path / "store")


def test_offline_a_name_of_the_hub_is_refused(monkeypatch, tmp_path):
    """Unless the hub's cache has it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DserError, match=r"HF_HUB_OFFLINE forbids.*hf download"):
        open_encoder(make_encoding("text", "some/encoder"))


def test_what_was_fetched_before_is_found_offline(folders, monkeypatch, tmp_path):
    """As the hub's library keeps it, with the revision in the name of its folder."""
    from huggingface_hub import constants

    revision = "ab" * 20
    place = tmp_path / "models--some--encoder"
    shutil.copytree(folders["bert"], place / "snapshots" / revision)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(revision)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    encoder = open_encoder(make_encoding("text", "some/encoder"))
    assert encoder.weights.revision == revision
    assert encoder.name == "encoder"
    here = open_encoder(make_encoding("text", str(folders["bert"])))
    assert (here.weights.sha256, here.weights.revision) == (encoder.weights.sha256, None)


def test_without_the_libraries_it_is_said_how_to_get_them(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(libraries, "import_module", missing)
    with pytest.raises(DserError, match=r"pip install 'dser_jax\[encoders\]'"):
        open_encoder(make_encoding("text", "some/encoder"))
