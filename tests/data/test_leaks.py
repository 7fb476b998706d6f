"""What a test set shares with training, and the scores on its parts, worked by hand."""

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fabricated import NAMES, fabricate
from pairs import add_pairs
from rich.console import Console

from dser_jax.config import Config
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.inputs import check_inputs
from dser_jax.data.inspection import inspect, summary
from dser_jax.data.leaks import MARKS, mark, normal
from dser_jax.data.preparing import prepare
from dser_jax.data.splits import Split
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.plan import run_id
from dser_jax.report.sections.leaks import leak_sections
from dser_jax.report.text import Asked
from dser_jax.report.writing import write_report
from dser_jax.stats.subsets import marks_of, part_scores, parts_of, shared_with_training
from dser_jax.training.metrics import ccc, scores


def utterance(transcript=None, speaker=None, file=None):
    return Utterance(
        "id",
        speaker=speaker,
        file=file and Path(file),
        transcript=transcript,
        valence=1.0,
        arousal=1.0,
        dominance=1.0,
    )


TABLE = [
    utterance("Well, well.", "S1F", "a.wav"),
    utterance("No!", "S1M", "b.wav"),
    utterance("...", None, None),
    utterance("well WELL", "S2F", "c.wav"),
    utterance("No, no.", "S1M", "b.wav"),
    utterance("...", None, None),
    utterance(None, "S2M", "d.wav"),
]
SPLIT = Split("column", *map(np.array, ([0], [1, 2], [3, 4, 5, 6])))


def test_marks_are_those_of_the_words_the_speaker_and_the_file():
    marks = mark(TABLE, SPLIT)
    # "well well" is in training; "no" is in validation, but not "no no"; no words, no leak.
    assert marks["test_seen_transcript"].tolist() == [True, False, False, False]
    assert marks["test_seen_speaker"].tolist() == [False, True, False, False]
    assert marks["test_seen_recording"].tolist() == [False, True, False, False]
    assert marks["test_speaker"].tolist() == ["S2F", "S1M", "", "S2M"]


def test_validation_counts_as_seen():
    split = Split("column", np.array([3]), np.array([0]), np.array([3, 0]))
    assert mark(TABLE, split)["test_seen_transcript"].all()


def test_case_and_punctuation_do_not_matter():
    assert normal("  It's\tOK -- really? ") == "it's ok really"
    assert normal(None) == normal("?!") == ""


@pytest.mark.parametrize("features", ["pairs_hsf", "pairs_lld"])
def test_a_copy_under_another_name_is_said(tmp_path, monkeypatch, features):
    add_pairs(monkeypatch)
    rows = []
    for i, part in enumerate(["train", "train", "validation", "validation", "test", "test"]):
        file = tmp_path / f"r{i}.wav"
        soundfile.write(file, np.random.default_rng(i).uniform(-0.5, 0.5, 1600), 16000)
        labels = {"valence": 1.0 + i % 2, "arousal": 2.0 - i % 2}
        rows.append(Utterance(f"u{i}", file=file, transcript=f"word {i}", split=part, **labels))
    corpus = Corpus("toy", tuple(rows), (1.0, 5.0))
    apart = prepare(corpus, tmp_path / "apart", features=[features])
    assert not [line for line in summary(apart, []) if "sound exactly" in line]
    shutil.copyfile(tmp_path / "r2.wav", tmp_path / "r5.wav")
    prepared = prepare(corpus, tmp_path / "both", features=[features])
    said = (
        "column: 1 of 2 utterances of the test set sound exactly as others in training or "
        "validation (u5 as u2): they are no test of what was learned"
    )
    assert said in summary(prepared, [])
    config = Config(acoustic=None, split="column", protocol="strict")
    assert said in check_inputs(prepared, config)
    assert said in check_inputs(prepared, replace(config, protocol="paper"))
    console = Console(file=io.StringIO(), width=200)
    inspect(prepared, console)
    assert said in console.file.getvalue()
    (tmp_path / "both" / "features" / f"{features}.npy").write_bytes(b"x")
    assert said not in check_inputs(prepared, config)  # It reads the words alone.


IDS = [f"Ses05{'FM'[i % 2]}_{'impro' if i < 30 else 'script'}01_{i:03d}" for i in range(60)]


def marks_for(seen=(), speakers=("S1F", "S1M")):
    """Marks of 60 test rows, of which some have a seen transcript."""
    return {
        "test_seen_transcript": np.isin(np.arange(60), seen),
        "test_seen_speaker": np.zeros(60, bool),
        "test_seen_recording": np.zeros(60, bool),
        "test_speaker": np.array([speakers[i % len(speakers)] for i in range(60)]),
    }


def test_the_parts_of_a_test_set():
    parts = parts_of(IDS, marks_for(range(25)))
    assert {name: int(rows.sum()) for name, rows in parts.items()} == {
        **{"new transcript": 35, "seen transcript": 25, "improvised": 30, "scripted": 30},
        **{"speaker S1F": 30, "speaker S1M": 30},
    }
    assert parts["improvised"].tolist() == [True] * 30 + [False] * 30


def test_women_and_men_where_the_names_tell():
    parts = parts_of(IDS, marks_for(speakers=("S1F", "S1M", "S2F")))
    assert (parts["women"].sum(), parts["men"].sum()) == (40, 20)
    assert not {"women", "men"} & set(parts_of(IDS, marks_for(speakers=("A", "MUM", "TOM"))))
    assert not {"women", "men"} & set(parts_of(IDS, marks_for(speakers=("S1F", "S2F", "x"))))


def test_what_does_not_divide_is_no_part():
    assert set(parts_of(["a", "b"], {})) == set()
    assert "new transcript" not in parts_of(IDS, marks_for(range(60)))
    assert "improvised" not in parts_of(IDS[:30], {})
    assert "improvised" not in parts_of([*IDS[:59], "other"], {})


def test_kinds_of_turns_of_msp_improv():
    ids = [f"MSP-IMPROV-S01A-F06-{kind}-FM0{i}" for i, kind in enumerate("PSSRT")]
    parts = parts_of([f"msp_improv/{id_}" for id_ in ids], {})
    assert {name: rows.tolist().index(True) for name, rows in parts.items()} == {
        **{"natural": 0, "improvised": 1, "read target": 3, "improvised target": 4}
    }
    assert parts["improvised"].sum() == 2
    assert set(parts_of(ids[:3], {})) == {"natural", "improvised"}
    speakers = np.array([f"msp_improv/{name}" for name in ("F06", "M06", "F05", "M06", "F06")])
    women = parts_of(ids, {"test_speaker": speakers})["women"]
    assert women.tolist() == [True, False, True, False, True]


def test_what_is_shared_is_counted():
    marks = marks_for(range(25))
    assert shared_with_training({}) is None
    shared = shared_with_training(marks | {"test_seen_speaker": np.arange(60) % 2 == 0})
    assert (shared.utterances, shared.transcripts, shared.recordings) == (60, 25, 0)
    assert shared.speakers == ("S1F",)


def journal(folder, marks, seeds=3, missing=()):
    """A journal whose predictions are the labels on seen transcripts, and noise elsewhere."""
    random = np.random.default_rng(1)
    gold = random.uniform(-1, 1, (60, 3))
    gold[:, list(missing)] = np.nan
    with Journal.open(folder, {"data_fingerprint": "aa"}) as opened:
        labels = {"validation_ids": ["v"] * 60, "validation_gold": gold}
        opened.write_truth("k", **labels, test_ids=IDS, test_gold=gold)
        if marks:
            opened.write_truth(f"k.{MARKS}", **marks)
        for seed in range(seeds):
            pred = random.uniform(-1, 1, (60, 3))
            if marks:
                pred[marks["test_seen_transcript"]] = gold[marks["test_seen_transcript"]]
            pred = np.nan_to_num(pred)
            row = {"name": "words", "seed": seed, "truth": "k", "status": "ok"}
            row |= {"corpus": "demo", "protocol": "strict", "split": "last session"}
            row |= {"test": scores(gold, pred), "validation": scores(gold, pred)}
            opened.commit({"run": run_id(row), **row}, {"test_pred": pred})
    return read_journal(folder)


def test_scores_of_parts_are_those_of_their_rows(tmp_path):
    view = journal(tmp_path, marks_for(range(25)))
    problems = []
    parts = parts_of(IDS, marks_of(view, "k"))
    found = {each.part: each for each in part_scores(view, view.rows, parts, problems)}
    assert problems == []
    gold = view.truth("k")["test_gold"]
    preds = [view.arrays(row["run"])["test_pred"] for row in view.rows]
    whole = [ccc(gold[:, 0], pred[:, 0]) for pred in preds]
    new = [ccc(gold[25:, 0], pred[25:, 0]) for pred in preds]
    assert found["all"].scores["valence"].mean == pytest.approx(np.mean(whole), abs=1e-9)
    assert found["all"].scores["valence"].mean == pytest.approx(
        np.mean([row["test"]["ccc"]["valence"] for row in view.rows]), abs=1e-9
    )
    assert found["new transcript"].scores["valence"].mean == pytest.approx(np.mean(new), abs=1e-9)
    assert found["seen transcript"].scores["mean"].mean == pytest.approx(1)
    assert found["all"].change == {}
    change = found["new transcript"].change["valence"]
    assert change.mean == pytest.approx(np.mean(new) - np.mean(whole), abs=1e-9)
    assert change.sd == pytest.approx(np.std(np.subtract(new, whole), ddof=1))
    assert change.mean < -0.1


def test_parts_too_small_and_missing_labels_have_no_score(tmp_path):
    view = journal(tmp_path, marks_for(range(19)), missing=[2])
    parts = parts_of(IDS, marks_of(view, "k"))
    found = {each.part: each for each in part_scores(view, view.rows, parts, [])}
    assert found["seen transcript"].scores == {}
    assert found["seen transcript"].utterances == 19
    assert list(found["all"].scores) == ["valence", "arousal", "mean"]


def test_damaged_predictions_are_said_and_left_out(tmp_path):
    view = journal(tmp_path, marks_for(range(25)))
    (tmp_path / "arrays" / f"{view.rows[0]['run']}.npz").write_bytes(b"x")
    problems = []
    parts = parts_of(IDS, marks_of(view, "k"))
    found = part_scores(view, view.rows, parts, problems)
    assert found[0].scores["mean"].n == 2
    assert view.rows[0]["run"] in problems[0]
    (tmp_path / "truth" / "k.npz").unlink()
    assert leak_sections(view, problems)[0] == []
    assert "cannot be divided" in problems[-1]


def written(folder):
    stream = io.StringIO()
    asked = Asked(everything=True)
    write_report(folder, None, Console(file=stream, width=80), draw=False, asked=asked)
    return stream.getvalue()


def test_the_report_tells_of_leaks(tmp_path):
    journal(tmp_path, marks_for(range(25)))
    lines = written(tmp_path).splitlines()
    said = " ".join(" ".join(lines).split())
    assert "Leaks and parts of the test set: demo, protocol strict" in said
    assert "25 of 60 test utterances (41.7%) have a transcript that occurs in training" in said
    assert "no speaker; cut from a file that both have: none" in said
    assert any(line.split()[:5] == ["seen", "transcript", "25", "1.000", "1.000"] for line in lines)
    # Only a terminal breaks these.
    said_once = ("Next", "leaks: ", "Written", "no predictions", str(tmp_path))
    assert max(len(line) for line in lines if not line.startswith(said_once)) <= 80
    text = (tmp_path / "report" / "report.md").read_text()
    assert "## Leaks and parts of the test set" in text
    assert "| seen transcript | 25 | 1.000 | 1.000 | 1.000 | 1.000 | +." in text
    with open(tmp_path / "report" / "leaks.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert {line["part"] for line in found} >= {"all", "new transcript", "improvised"}
    assert {line["metric"] for line in found} == {"ccc"}


def test_a_journal_without_marks_still_reports(tmp_path):
    view = journal(tmp_path, {})
    said = written(tmp_path)
    assert "improvised" in said
    assert "have a transcript that occurs" not in said
    assert marks_of(view, "k") == {}


def test_a_journal_that_cannot_be_divided_has_no_section(tmp_path):
    fabricate(tmp_path, NAMES, 2)
    assert "Leaks" not in written(tmp_path)
    assert not (tmp_path / "report" / "leaks.csv").exists()


def test_many_names_and_speakers_are_in_the_file_only(tmp_path):
    many = {f"row {i}": ("lstm", "x", (i / 40,) * 3) for i in range(30)}
    fabricate(tmp_path, many, 1)
    speakers = np.array([f"S{i % 5}{'FM'[i % 2]}" for i in range(100)])
    marks = {name: np.zeros(100, bool) for name in ("transcript", "speaker", "recording")}
    marks = {f"test_seen_{name}": rows for name, rows in marks.items()}
    np.savez(tmp_path / "truth" / f"k.{MARKS}.npz", **marks, test_speaker=speakers)
    (section,), file = leak_sections(read_journal(tmp_path), [])
    shown = [line[0] for line in section.lines if line[0]]
    assert len(shown) == 6
    assert shown[-1] == "row 29"  # The highest on validation.
    assert {line[1] for line in section.lines} == {"all", "women", "men"}
    assert "Shown are the 6 names, of 30" in section.after[0]
    assert any("fewer than 20 utterances: speaker S0F" in text for text in section.after)
    assert len({line[0] for line in file.lines}) == 24
