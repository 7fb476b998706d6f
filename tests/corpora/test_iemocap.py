"""The IEMOCAP loader on a small tree with every oddity of the real one."""

from __future__ import annotations

import math

import pytest

from dser_jax.corpora.iemocap import load_iemocap
from dser_jax.system.errors import BadInput, DataError

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\r\n\r\n"


def block(id, v, a, d):
    return (
        f"[1.0000 - 2.5000]\t{id}\tneu\t[{v}, {a}, {d}]\r\n"
        "C-E2:\tNeutral;\t()\r\nA-E3:\tval 3; act 2; dom  2;\t()\r\n"
        "A-F1:\tval 9; act ; dom  x;\t()\r\n\r\n"
    )


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def add_dialogue(release, session, dialogue, turns):
    """Writes a dialogue of `turns`: {turn: (labels, words)}."""
    dialog = release / f"Session{session}" / "dialog"
    blocks = "".join(block(f"{dialogue}_{turn}", *labels) for turn, (labels, _) in turns.items())
    words = "".join(
        f"{dialogue}_{turn} [001.0000-002.5000]: {text}\r\n" for turn, (_, text) in turns.items()
    )
    write(dialog / "EmoEvaluation" / f"{dialogue}.txt", HEADER + blocks)
    write(dialog / "transcriptions" / f"{dialogue}.txt", words)


@pytest.fixture
def release(tmp_path):
    release = tmp_path / "IEMOCAP_full_release"
    for session in range(1, 6):
        turns = {"M000": ((2.5, 3.5, 4.5), "Excuse me."), "F000": ((1, 2, 3), "Do you: know?")}
        add_dialogue(release, session, f"Ses0{session}F_impro01", turns)
    return release


@pytest.fixture
def labels(release):
    """The evaluation file that tests break: 11 lines, the labels on lines 3 and 8."""
    return release / "Session3" / "dialog" / "EmoEvaluation" / "Ses03F_impro01.txt"


def change(file, old, new):
    text = file.read_bytes()
    assert old.encode() in text
    file.write_bytes(text.replace(old.encode(), new.encode()))


def test_reads_labels_words_speakers_and_paths(release):
    corpus = load_iemocap(release)
    ids = [utterance.id for utterance in corpus.utterances]
    assert len(ids) == 10
    assert ids == sorted(ids)
    assert (corpus.name, corpus.scale) == ("iemocap", (1, 5))
    first, second = corpus.utterances[:2]
    assert (second.id, second.speaker, second.session) == ("Ses01F_impro01_M000", "Ses01M", "Ses01")
    assert (second.valence, second.arousal, second.dominance) == (2.5, 3.5, 4.5)
    wavs = release / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    assert second.file == wavs / "Ses01F_impro01_M000.wav"
    assert (second.start, second.end, second.split) == (None, None, None)
    assert (first.speaker, first.transcript) == ("Ses01F", "Do you: know?")
    assert second.source.endswith("Ses01F_impro01.txt:3")
    expected = "Session1: 2 utterances, 1 dialogue, 2 speakers, 2 transcripts, 0 wavs"
    assert corpus.found[0] == expected
    assert len(corpus.found) == 5


def test_root_may_be_the_parent(release):
    assert load_iemocap(release.parent) == load_iemocap(str(release))


def test_counts_wavs(release):
    wav = load_iemocap(release).utterances[0].file
    assert wav is not None
    write(wav, b"")
    assert load_iemocap(release).found[0].endswith("1 wav")


def test_oddities_of_the_release(release):
    one = release / "Session1" / "dialog"
    for name in ("Attribute/Ses01F_impro01_atr.txt", "Categorical/x.txt", "Self-evaluation/y.txt"):
        write(one / "EmoEvaluation" / name, "[not for us\n")
    write(one / "EmoEvaluation" / "._Ses01F_impro01.txt", b"\x00\x05\x16\x07[\xff\n[\n")
    write(one / "transcriptions" / "._Ses01F_impro01.txt", b"\x00\x05\x16\x07\xff")
    words = one / "transcriptions" / "Ses01F_impro01.txt"
    extra = b"M: Yeah.\nSes01F_impro01_MXX0 [3.0-4.0]: Hm.\n\n"
    write(words, words.read_bytes() + extra + b"Ses01F_impro01_F009 [4.0-5.0]: Not evaluated.\n")
    five = {"M000": ((5.5, 0.5, 3), "[LAUGHTER]"), "F001": ((3, 3, 3), "")}
    add_dialogue(release, 5, "Ses05M_script01_1", five)
    add_dialogue(release, 5, "Ses05M_script01_1b", five)
    latin = release / "Session5" / "dialog" / "transcriptions" / "Ses05M_script01_1.txt"
    text = b"Ses05M_script01_1_M000 [1-2]: caf\xe9 \x85 noir\nSes05M_script01_1_F001 [2-3]:\n"
    latin.write_bytes(text)

    corpus = load_iemocap(release)
    by_id = {utterance.id: utterance for utterance in corpus.utterances}
    assert len(by_id) == 14
    assert corpus.tolerated == (0, 6)  # So that `prepare` takes these.
    assert by_id["Ses05M_script01_1_M000"].transcript == "caf\xe9 \u2026 noir"
    beside = by_id["Ses05M_script01_1b_M000"]
    assert (beside.transcript, beside.valence, beside.arousal) == ("[LAUGHTER]", 5.5, 0.5)
    assert beside.file is not None
    assert beside.file.parent.name == "Ses05M_script01_1b"
    assert "6 utterances, 3 dialogues, 2 speakers, 4 transcripts" in corpus.found[4]
    assert (
        corpus.found[5] == "4 labels beyond 1 to 5, to be clipped: 2 x valence 5.5, 2 x arousal 0.5"
    )
    assert corpus.found[6] == f"1 file is not UTF-8, read as cp1252: {latin} first"


def test_tells_of_words_given_twice(release):
    words = release / "Session2" / "dialog" / "transcriptions" / "Ses02F_impro01.txt"
    same = b"Ses02F_impro01_M000 [1-2]: Excuse me.\n"
    same += b"Ses02F_impro01_MXX0 [1-2]: Hm.\nSes02F_impro01_MXX0 [1-2]: Hm, hm.\n"
    write(words, words.read_bytes() + same + b"Ses02F_impro01_M000 [1-2]: Sorry.\n")
    corpus = load_iemocap(release)
    assert corpus.utterances[3].transcript == "Excuse me."
    assert corpus.found[1].endswith(f"0 wavs; transcribed twice, the first kept: {words}:6")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[2.5, 3.5, 4.5]", "[2.5, x, 4.5]", "arousal of .* not a number, found 'x'; .* 1 to 5"),
        ("[2.5, 3.5, 4.5]", "[nan, 3.5, 4.5]", "valence of .* is not a number, found 'nan'"),
        ("[2.5, 3.5, 4.5]", "[2.5, 3.5, 7]", "dominance of .*_M000 is off the scale, found '7'"),
        ("[2.5, 3.5, 4.5]", "[2.5, 3.5]", "has 2 labels, .*expected three"),
        ("[2.5, 3.5, 4.5]", "2.5", "not a line of labels.*START - END"),
        ("Ses03F_impro01_M000", "Ses03F_impro01_X000", "not the id of an utterance.*M003"),
        ("Ses03F_impro01_M000", "Ses02F_impro01_M000", "not the id of an utterance.*Session3"),
    ],
)  # fmt: skip
def test_bad_line_names_file_and_line(release, labels, old, new, message):
    change(labels, old, new)
    with pytest.raises(DataError, match=rf"Ses03F_impro01\.txt:3: .*{message}"):
        load_iemocap(release)
    bad = BadInput(skip=True)
    assert len(load_iemocap(release, bad).utterances) == 9
    assert len(bad.left_out) == 1


def test_duplicate_id_names_both_lines(release, labels):
    change(labels, "_F000", "_M000")
    message = r"impro01\.txt:8: this id came before.*'Ses03F_impro01_M000'.*impro01\.txt:3"
    with pytest.raises(DataError, match=message):
        load_iemocap(release)
    bad = BadInput(skip=True)
    utterances = load_iemocap(release, bad).utterances
    assert [u.valence for u in utterances if u.session == "Ses03"] == [2.5]


def test_dialogue_without_transcription(release):
    (release / "Session4" / "dialog" / "transcriptions" / "Ses04F_impro01.txt").unlink()
    corpus = load_iemocap(release)
    silent = {u.id.rsplit("_", 1)[0] for u in corpus.utterances if u.transcript is None}
    assert silent == {"Ses04F_impro01"}


def test_missing_session(release):
    (release / "Session4").rename(release / "Session6")
    message = r"Session4: this folder of the release is missing; expected Session1 to"
    with pytest.raises(DataError, match=message):
        load_iemocap(release)
    bad = BadInput(skip=True)
    corpus = load_iemocap(release, bad)
    assert len(corpus.found) == 4
    assert len(bad.left_out) == 1


def test_missing_transcriptions_folder(release):
    folder = release / "Session2" / "dialog" / "transcriptions"
    folder.rename(folder.with_name("Transcriptions_old"))
    with pytest.raises(DataError, match=r"Session2.*transcriptions: this folder of the release"):
        load_iemocap(release)


def test_no_tree(tmp_path):
    with pytest.raises(DataError, match=r"no IEMOCAP release here; expected the folder"):
        load_iemocap(tmp_path, BadInput(skip=True))
    with pytest.raises(DataError, match="no such folder"):
        load_iemocap(tmp_path / "nowhere")


def test_tree_without_utterances(release):
    for file in release.glob("*/dialog/EmoEvaluation/*.txt"):
        file.write_text(HEADER)
    with pytest.raises(DataError, match="no evaluated utterances"):
        load_iemocap(release)


def test_labels_are_never_nan(release):
    for utterance in load_iemocap(release).utterances:
        assert not math.isnan(utterance.valence + utterance.arousal + utterance.dominance)
