"""The MSP-IMPROV loader on a small tree with every oddity of the real one."""

from __future__ import annotations

import math

import pytest

from dser_jax.cli import main
from dser_jax.corpora.msp_improv import load_msp_improv
from dser_jax.system.errors import BadInput, DataError

NAN = "NaN"


def write(file, text=""):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def block(name, a, v, d):
    """Means as the release has them, a blank before one semicolon; two raters; an empty line."""
    return (
        f"UTD-IMPROV-{name}.avi; A; A:{a}; V:{v}; D:{d} ; N:4.0;\n"
        "P01_1; Angry; Angry,Frustrated; A:9.0; V:x; D:2.0; N:4.0;\n"
        "P02_1; Neutral; ; A:2.0; V:3.0; D:NaN; N:NaN;\n\n"
    )


NAMES = [
    f"S01A-{sex}0{session}-{kind}-{sex}M01"
    for session in range(1, 7)
    for sex, kind in (("F", "P"), ("M", "T"))
]


@pytest.fixture
def release(tmp_path):
    """Twelve turns of twelve speakers, the labels of the i-th on lines 4i + 1 to 4i + 4."""
    root = tmp_path / "MSP-IMPROV"
    labels = [(1 + i / 4, 2 + i / 8, 4.5 - i / 4) for i in range(12)]
    text = "".join(block(name, *each) for name, each in zip(NAMES, labels, strict=True))
    write(root / "Evaluation.txt", text)
    for name in NAMES:
        scene, speaker, kind, _ = name.split("-")
        folder = root / "Audio" / f"session{speaker[-1]}" / scene / kind
        write(folder / f"MSP-IMPROV-{name}.wav")
    return root


def add_words(root, folder="All_human_transcriptions"):
    for i, name in enumerate(NAMES):
        write(
            root / folder / f"session{i // 2 + 1}" / f"MSP-IMPROV-{name}.txt", f" Word\r\n {i}.\n"
        )


def change(root, old, new):
    file = root / "Evaluation.txt"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_counts_what_the_tree_holds(release):
    corpus = load_msp_improv(release)
    assert (corpus.name, corpus.scale) == ("msp_improv", (1, 5))
    ids = [utterance.id for utterance in corpus.utterances]
    assert ids == sorted(f"MSP-IMPROV-{name}" for name in NAMES)
    assert corpus.found == (
        *(
            f"session{i}: 2 utterances, 1 dialogue, 2 speakers, 0 transcripts, 2 wavs"
            for i in range(1, 7)
        ),
        "labels: valence 12, arousal 12, dominance 12",
        "recordings: 12, of which 12 are there",
        "speakers: 12",
        "sessions: 6, session6 is the last",
        "arousal is 6 - A, as the file has 1 for the most excited; so its correlation with"
        " dominance is 1.00",
    )


def test_attributes_go_by_their_letters_and_arousal_is_reversed(release):
    by_id = {utterance.id: utterance for utterance in load_msp_improv(release).utterances}
    second = by_id["MSP-IMPROV-S01A-M01-T-MM01"]
    assert (second.valence, second.arousal, second.dominance) == (2.125, 6 - 1.25, 4.25)
    assert (second.speaker, second.session, second.split) == ("M01", "session1", None)
    assert second.source == f"{release / 'Evaluation.txt'}:5"
    change(release, "A:1.25; V:2.125; D:4.25 ;", "D:4.25; A:1.25;V:2.125 ;")
    assert second in load_msp_improv(release).utterances


def test_a_mean_that_is_missing(release):
    change(release, "D:4.5 ", "D:NaN ")
    change(release, "A:3.75", "A:nan")
    corpus = load_msp_improv(release)
    missing = [u.id for u in corpus.utterances if math.isnan(u.dominance + u.arousal)]
    assert missing == ["MSP-IMPROV-S01A-F01-P-FM01", "MSP-IMPROV-S01A-M06-T-MM01"]
    assert not any(math.isnan(u.valence) for u in corpus.utterances)
    assert "labels: valence 12, arousal 11, dominance 11" in corpus.found


@pytest.mark.parametrize("folder", ["", "Human_transcriptions/"])
def test_words_where_the_release_has_them(release, folder):
    add_words(release, f"{folder}All_human_transcriptions")
    utterances = load_msp_improv(release).utterances
    assert {u.transcript for u in utterances} == {f"Word {i}." for i in range(12)}
    assert {u.transcript for u in load_msp_improv(release, transcripts=False).utterances} == {None}


def test_from_the_command_line(release, tmp_path, capsys):
    add_words(release)
    file = release / "All_human_transcriptions" / "session2" / "MSP-IMPROV-S01A-F02-P-FM01.txt"
    file.unlink()
    arguments = ["prepare", "--corpus", "msp_improv", str(release)]
    with pytest.raises(SystemExit):
        main([*arguments, "--missing-transcripts", "refuse", "--out", str(tmp_path / "a")])
    message = capsys.readouterr().err
    assert "Evaluation.txt:9: no transcript of utterance MSP-IMPROV-S01A-F02-P-FM01;" in message
    assert "`--no-transcripts` reads no words at all" in message
    main([*arguments, "--no-transcripts", "--out", str(tmp_path / "b")])
    main(["inspect", str(tmp_path / "b")])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "session6 F06 1, M06 1 2" in lines
    assert "last session strict 8 2 2 session5" in lines
    main([*arguments, "--skip-bad", "--out", str(tmp_path / "c")])
    said = capsys.readouterr().out
    assert "left out, 1 in all:" in said
    assert "11 utterances are prepared" in said


@pytest.mark.parametrize("empty", [True, False])
def test_words_that_are_missing(release, empty):
    add_words(release)
    file = release / "All_human_transcriptions" / "session2" / "MSP-IMPROV-S01A-F02-P-FM01.txt"
    write(file, " \n") if empty else file.unlink()
    corpus = load_msp_improv(release)
    silent = [u.id for u in corpus.utterances if u.transcript is None]
    assert silent == ["MSP-IMPROV-S01A-F02-P-FM01"]
    expected = "session2: 2 utterances, 1 dialogue, 2 speakers, 1 transcript, 2 wavs"
    assert corpus.found[1] == expected
    for other in (release / "All_human_transcriptions").rglob("*.txt"):
        other.unlink()
    with pytest.raises(DataError, match="no utterance has words; expected a text file for each"):
        load_msp_improv(release)


def test_other_places_and_names(release):
    (release / "Evaluation.txt").rename(release / "Evalution.txt")
    for session in (release / "Audio").iterdir():
        session.rename(release / session.name)
    (release / "Audio").rmdir()
    (release / "session6/S01A/T/MSP-IMPROV-S01A-M06-T-MM01.wav").unlink()
    write(release / "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM99.wav")
    write(release / "session1/S01A/P/._MSP-IMPROV-S01A-F01-P-FM01.wav", b"\x00\x05\x16\x07")
    corpus = load_msp_improv(release)
    files = {u.id: u.file for u in corpus.utterances}
    place = release / "session6/S01A/T/MSP-IMPROV-S01A-M06-T-MM01.wav"
    assert files["MSP-IMPROV-S01A-M06-T-MM01"] == place, "where it belongs"
    assert "recordings: 12, of which 11 are there" in corpus.found
    assert corpus.found[-1] == "1 recording has no labels, MSP-IMPROV-S01A-F01-P-FM99 first"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("A:1.25;", "A:x;", "the arousal of MSP-IMPROV-S01A-M01.* not a number, found 'x'; .*NaN"),
        ("A:1.25;", "A:0.5;", "the arousal of .* is off the scale, found '0.5'; .*from 1 to 5"),
        ("V:2.125;", "V:5.5;", "the valence of .* is off the scale, found '5.5'"),
        ("V:2.125;", "", "MSP-IMPROV-S01A-M01-T-MM01 has no valence.*expected UTD-IMPROV"),
        ("S01A-M01-T", "S01A-M07-T", "not the id of an utterance.*M07-T-MM01.avi'.*such as"),
        ("M01-T-MM01.avi", "M01-T-MM01", None),
        ("M01-T-MM01", "F01-P-FM01", "this id came before, .*F01-P-FM01'.*Evaluation.txt:1 has it"),
    ],
)
def test_bad_line_names_file_and_line(release, old, new, message):
    change(release, old, new)
    if message is None:
        assert len(load_msp_improv(release).utterances) == 12
        return
    with pytest.raises(DataError, match=rf"Evaluation\.txt:5: .*{message}"):
        load_msp_improv(release)
    bad = BadInput(skip=True)
    assert len(load_msp_improv(release, bad=bad).utterances) == 11
    assert len(bad.left_out) == 1


def test_a_session_without_labels(release):
    file = release / "Evaluation.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:40]))
    with pytest.raises(DataError, match=r"no utterance of session6; expected session1 to session6"):
        load_msp_improv(release)
    bad = BadInput(skip=True)
    assert len(load_msp_improv(release, bad=bad).utterances) == 10
    assert len(bad.left_out) == 1


def test_no_tree(release, tmp_path):
    with pytest.raises(DataError, match=r"no MSP-IMPROV release here; .*Evaluation\.txt"):
        load_msp_improv(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        load_msp_improv(tmp_path / "nowhere")
    (release / "Evaluation.txt").write_text("P01_1; Angry; ; A:2; V:2; D:2; N:2;\n")
    with pytest.raises(DataError, match="no evaluated utterances here; expected UTD-IMPROV"):
        load_msp_improv(release)
