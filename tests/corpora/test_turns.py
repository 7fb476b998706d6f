"""Dialogues: what the corpora tell of who spoke after whom."""

from __future__ import annotations

import pytest
from test_iemocap import HEADER, block, write

from dser_jax.corpora.iemocap import load_iemocap
from dser_jax.corpora.msp_improv import load_msp_improv
from dser_jax.corpora.table import load_table
from dser_jax.system.errors import BadInput, DataError


def of(corpus):
    """Returns the ids of each dialogue in the order of its turns."""
    found = {}
    inside = (utt for utt in corpus.utterances if utt.dialogue is not None)
    for utt in sorted(inside, key=lambda utt: utt.turn):
        found.setdefault(utt.dialogue, []).append(utt.id)
    return found


def test_iemocap_has_both_speakers_in_the_order_of_time(tmp_path):
    release = tmp_path / "IEMOCAP_full_release"
    name = "Ses01F_impro01"
    times = {"F000": "1.0000 - 2.5000", "M000": "2.7000 - 3.0", "F001": "10.1 - 11", "M001": "x"}
    for session in range(1, 6):
        dialog = release / f"Session{session}" / "dialog"
        write(dialog / "transcriptions" / "none.txt", "")
        blocks = ""
        if session == 1:
            for turn, time in times.items():
                blocks += block(f"{name}_{turn}", 1, 2, 3).replace("1.0000 - 2.5000", time)
        write(dialog / "EmoEvaluation" / f"Ses0{session}F_impro01.txt", HEADER + blocks)
    corpus = load_iemocap(release)
    assert of(corpus) == {name: [f"{name}_{turn}" for turn in ("F000", "M000", "F001")]}
    last = corpus.utterances[-1]
    assert (last.id, last.dialogue, last.turn) == (f"{name}_M001", None, None), "no time: nowhere"


def test_msp_improv_has_the_turns_of_a_speaker_in_a_scene(tmp_path):
    ids = ("S01A-F01-P-FM10", "S01A-F01-P-FM02", "S01A-M01-P-MF01", "S01B-F01-P-FM01")
    lines = [f"UTD-IMPROV-{id}.avi; A; A:2; V:3; D:3; N:3;" for id in ids]
    write(tmp_path / "Evaluation.txt", "\n".join(lines))
    corpus = load_msp_improv(tmp_path, bad=BadInput(skip=True))
    assert of(corpus) == {
        "S01A-F01-P-FM": ["MSP-IMPROV-S01A-F01-P-FM02", "MSP-IMPROV-S01A-F01-P-FM10"],
        "S01A-M01-P-MF": ["MSP-IMPROV-S01A-M01-P-MF01"],
        "S01B-F01-P-FM": ["MSP-IMPROV-S01B-F01-P-FM01"],
    }


@pytest.mark.parametrize(
    ("header", "rows", "found", "said"),
    [
        ("dialogue,turn", ["a,2", "a,1.5", "b,7", ",3"], {"a": "21", "b": "3"}, "dialogues: 2"),
        ("dialogue,turn", ["a,00:00:12", "a,2", "b,", "b,1"], {"a": "21", "b": "4"}, "1 row of"),
        ("dialogue", ["a", "b", "a", "b"], {"a": "13", "b": "24"}, "2 of them are taken to be in"),
        ("dialogue,file,start", ["a,x.wav,9", "a,x.wav,3", "b,x.wav,1", "b,y.wav,0"],
         {"a": "21", "b": "34"}, "turns of 1 of them are taken"),
        ("file,start,turn", ["x.wav,9,2", "x.wav,3,1", "x.wav,1,4", "x.wav,5,3"], {}, ""),
    ],
)  # fmt: skip
def test_a_table_says_so_by_its_columns(tmp_path, header, rows, found, said):
    lines = [f"{number},word,3,{row}" for number, row in enumerate(rows, 1)]
    (tmp_path / "t.csv").write_text("\n".join([f"id,transcript,valence,{header}", *lines]) + "\n")
    corpus = load_table(tmp_path / "t.csv", scale=(1, 5))
    assert {name: "".join(ids) for name, ids in of(corpus).items()} == found
    assert all((utt.turn is None) == (utt.dialogue is None) for utt in corpus.utterances)
    assert said in " ".join(corpus.found)


def test_a_turn_that_is_no_place_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("transcript,valence,dialogue,turn\nso,3,a,second\n")
    with pytest.raises(DataError, match=r"t.csv:2: the turn is no place .*'second'.*a number"):
        load_table(tmp_path / "t.csv", scale=(1, 5))


def test_turns_that_share_a_place_are_counted(tmp_path):
    rows = ["id,dialogue,turn,valence,transcript"]
    rows += [f"u{i},d{i % 2},{turn},2,word" for i, turn in enumerate((1, 1, 1, 2, 3, 3))]
    (tmp_path / "x.csv").write_text("\n".join(rows) + "\n")
    corpus = load_table(tmp_path / "x.csv", scale=(1.0, 5.0))
    assert any(
        "2 turns share their place with others of the same dialogue" in s for s in corpus.found
    )
    assert of(corpus)["d0"] == ["u0", "u2", "u4"]
