"""The talking corpus: made alike twice, laid out as IEMOCAP, with the moments it should have."""

from __future__ import annotations

import collections
import os
import re
import sys
import wave

import numpy as np
import pytest

from dser_jax.corpora.demo import espeak
from dser_jax.corpora.demo import text as demo_text
from dser_jax.corpora.demo.corpus import load_demo, make_demo
from dser_jax.corpora.demo.labels import CORRELATIONS, DEVIATIONS, MEANS, rate
from dser_jax.corpora.demo.people import draw_latents, plan_turns, write_sentences
from dser_jax.corpora.iemocap import load_iemocap
from dser_jax.system.errors import DserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("espeakng_loader", reason="eSpeak NG is not installed")
    return make_demo(tmp_path_factory.mktemp("made") / "demo", utterances=50, seed=3)


def contents(folder):
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_is_read_as_iemocap(folder):
    corpus = load_iemocap(folder)
    assert len(corpus.utterances) == 50
    assert len({u.speaker for u in corpus.utterances}) == 10
    expected = "Session4: 10 utterances, 2 dialogues, 2 speakers, 10 transcripts, 10 wavs"
    assert corpus.found[3] == expected
    assert len({u.id[6:12] for u in corpus.utterances}) == 2, "improvised and scripted"
    for utterance in corpus.utterances:
        labels = utterance.valence, utterance.arousal, utterance.dominance
        assert all(1 <= label <= 5 for label in labels)


def test_layout_is_that_of_the_release(folder):
    text = (folder / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").read_text()
    header, first, *_ = text.split("\n\n")
    assert header == "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
    label, *raters = first.split("\n")
    pattern = r"\[\d+\.\d{4} - \d+\.\d{4}\]\tSes01F_impro01_F000\t[a-z]{3}\t\[(.*), (.*), (.*)\]"
    match = re.fullmatch(pattern, label)
    assert match is not None
    assert [line[:5] for line in raters] == ["C-E1:", "C-E2:", "C-E3:", "A-E1:", "A-E2:", "A-E3:"]
    ratings = [re.fullmatch(r"A-E\d:\tval (.*); act (.*); dom  (.*);\t\(\)", r) for r in raters[3:]]
    means = np.mean([[float(v) for v in rating.groups()] for rating in ratings if rating], axis=0)
    np.testing.assert_allclose([float(v) for v in match.groups()], means, atol=5e-5)
    words = (folder / "Session1/dialog/transcriptions/Ses01F_impro01.txt").read_text().split("\n")
    assert re.fullmatch(r"Ses01F_impro01_F000 \[\d{3}\.\d{4}-\d{3}\.\d{4}\]: \S.*", words[0])


def test_recordings_are_speech_at_16_khz(folder):
    for utterance in load_iemocap(folder).utterances:
        with wave.open(str(utterance.file)) as wav:
            assert wav.getparams()[:3] == (1, 2, 16_000)
            samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
        assert 0.3 < len(samples) / 16_000 < 8
        assert samples.std() > 100


def test_equal_seeds_give_equal_bytes(folder, tmp_path):
    next(espeak.speak([espeak.Spoken("Something else before.", "en", 200, 70, 70, 90)]))
    calls = []
    again = make_demo(
        tmp_path / "again", utterances=50, seed=3, progress=lambda *call: calls.append(call)
    )
    assert contents(again) == contents(folder)
    assert calls == [(number, 50) for number in range(1, 51)]


def test_another_seed_gives_another_corpus(folder, tmp_path):
    corpus = load_demo(tmp_path / "other", utterances=50, seed=4)
    assert corpus.name == "demo"
    pairs = zip(corpus.utterances, load_iemocap(folder).utterances, strict=True)
    assert sum(one.transcript == two.transcript for one, two in pairs) < 10


def test_a_finished_corpus_is_left_as_it_is(folder):
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    assert make_demo(folder, utterances=50, seed=3) == folder
    assert len(load_demo(folder).utterances) == 50
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    with pytest.raises(DserError, match=r"'seed': 3.*, not from .*'seed': 5.*name another folder"):
        load_demo(folder, seed=5)


def test_speech_does_not_depend_on_what_was_spoken_before(folder):
    words = [espeak.Spoken("Stop it!", voice, 170, 50, 50, 80) for voice in ("en+f2", "en+m3")]
    first = list(espeak.speak(words, seed=1))
    list(espeak.speak([espeak.Spoken("What a lovely day.", "en-us+f3", 250, 80, 90, 99)], seed=2))
    for one, two in zip(first, espeak.speak(words, seed=1), strict=True):
        np.testing.assert_array_equal(one, two)


def test_unknown_voice_is_named(folder):
    with pytest.raises(DserError, match="no voice 'nobody'"):
        list(espeak.speak([espeak.Spoken("Hello.", "nobody", 170, 50, 50, 80)]))


def test_interrupted_making_leaves_nothing(folder, tmp_path):
    def interrupt(done, total):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "demo", utterances=50, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_go(folder, tmp_path):
    old, new = tmp_path / ".demo.a.part", tmp_path / ".demo.b.part"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    (tmp_path / "demo").mkdir()
    make_demo(tmp_path / "demo", utterances=40)
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, "demo"]


def test_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(DserError, match=r'pip install "dser_jax\[demo\]"'):
        make_demo(tmp_path / "demo", utterances=50)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(DserError, match="something else than a demo corpus"):
        make_demo(tmp_path)
    with pytest.raises(DserError, match="a file is in the place"):
        make_demo(tmp_path / "thesis.txt")
    with pytest.raises(DserError, match="30 utterances are too few"):
        make_demo(tmp_path / "demo", utterances=30)
    (tmp_path / "demo.json").write_text("{")
    with pytest.raises(DserError, match=r"demo\.json: cannot read"):
        make_demo(tmp_path)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_moods_last_within_a_dialogue_and_no_longer(seed):
    random = np.random.default_rng(seed)
    turns = plan_turns(1000)
    latents = draw_latents(turns, random)
    last = [turn.place == 0 for turn in turns[1:]]
    within, across = ~np.array(last), np.array(last)
    for attr, least in enumerate((0.4, 0.2, 0.2)):
        one, next_ = latents[:-1, attr], latents[1:, attr]
        assert np.corrcoef(one[within], next_[within])[0, 1] > least
        assert abs(np.corrcoef(one[across], next_[across])[0, 1]) < 0.35  # of some 60


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_have_the_moments_of_the_real_corpus(seed):
    random = np.random.default_rng(seed)
    labels = rate(draw_latents(plan_turns(1000), random), random).mean(axis=1)
    np.testing.assert_allclose(labels.mean(axis=0), MEANS, atol=0.06)
    np.testing.assert_allclose(labels.std(axis=0), DEVIATIONS, atol=0.07)
    np.testing.assert_allclose(np.corrcoef(labels.T), CORRELATIONS, atol=0.06)


def test_turns_are_shared_among_sessions_evenly():
    turns = plan_turns(1003)
    assert len({turn.id for turn in turns}) == len(turns) == 1003
    sessions = collections.Counter(turn.id[:5] for turn in turns)
    assert sorted(sessions.values()) == [200, 200, 201, 201, 201]
    scripted = [turn for turn in turns if "script" in turn.id]
    assert 0.4 < len(scripted) / len(turns) < 0.6
    assert 0.2 < np.mean([turn.line is not None for turn in scripted]) < 0.5


@pytest.fixture(scope="module")
def sentences():
    random = np.random.default_rng(0)
    turns = plan_turns(1000)
    latents = draw_latents(turns, random)
    return latents, write_sentences(turns, latents, random)


def test_sentences_are_short_and_of_a_few_hundred_words(sentences):
    tokens = [re.findall(r"[a-z]+", sentence.lower()) for sentence in sentences[1]]
    lengths = [len(sentence) for sentence in tokens]
    assert min(lengths) >= 2
    assert max(lengths) <= 20
    assert 7 < np.mean(lengths) < 10
    assert 200 < len({token for sentence in tokens for token in sentence}) < 500
    assert 0.7 < len(set(sentences[1])) / 1000 < 0.95, "some sentences return, most do not"


def test_words_of_affect_are_frequent(sentences):
    words = {word.split()[-1] for kind in demo_text.SLOTS.values() for word in kind}
    counts = collections.Counter(
        word for sentence in sentences[1] for word in re.findall(r"[a-z]+", sentence.lower())
    )
    assert np.mean([counts[word] >= 8 for word in words]) > 0.85
    assert 1.4 < sum(counts[word] for word in words) / 1000 < 2.5


def test_valence_is_in_the_words(sentences):
    latents, texts = sentences
    places = {
        word.split()[-1]: place for kind in demo_text.SLOTS.values() for word, place in kind.items()
    }
    said = []
    for text in texts:
        found = [places[word] for word in re.findall(r"[a-z]+", text.lower()) if word in places]
        said.append(np.mean(found, axis=0) if found else np.zeros(3))
    shown = [np.corrcoef(latents[:, at], np.array(said)[:, at])[0, 1] for at in range(3)]
    assert shown[0] > 0.6
    assert 0.1 < shown[1] < shown[0]
    assert 0.1 < shown[2] < shown[0]
