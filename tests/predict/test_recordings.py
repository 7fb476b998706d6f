"""`dser predict`: what is to be predicted, cut into utterances, recognized, written."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from untrained import make_model

from dser_jax.cli import main
from dser_jax.features.audio import RATE
from dser_jax.predict.output import as_csv, check_columns
from dser_jax.predict.pipeline import predict
from dser_jax.predict.recordings import Asked, Piece, find
from dser_jax.predict.segment import cut
from dser_jax.predict.transcribe import TRANSCRIBERS, make_transcriber
from dser_jax.share.bundle import write_bundle
from dser_jax.share.exporting import export
from dser_jax.system.errors import DserError

SPEECH = Path(__file__).parents[3] / "shared" / "data" / "speech"


def noise(seconds: float, loudness: float = 0.3, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(0, loudness, round(seconds * RATE))
    return np.clip(samples, -1, 1).astype(np.float32)


def write(file: Path, *parts: np.ndarray, rate: int = RATE) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, np.concatenate(parts), rate)
    return file


@pytest.fixture(scope="module")
def both():
    return make_model()


@pytest.fixture(scope="module")
def speech():
    return make_model(text=None, members=1)


@pytest.fixture(scope="module")
def exported(both, speech, tmp_path_factory) -> dict[str, str]:
    """The two models as folders."""
    folder = tmp_path_factory.mktemp("models")
    scores = {"validation": {}, "test": {"ccc": {}, "ccc_batch32": {}, "rmse": {}}}
    scores["test"]["ccc_mean_of_each"] = {}
    common = {"protocol": "strict", "split": "x", "chosen": "x", "trained_again": False}
    common |= {"utterances": dict.fromkeys(("train", "validation", "test"), 1), "seeds": [0]}
    scores["validation"] = scores["test"]
    for name, model in (("both", both), ("speech", speech)):
        model.bundle.scores.update(scores | common)
        export(model.bundle, folder / name, stablehlo=False)
    return {name: str(folder / name) for name in ("both", "speech")}


def run(*arguments: object) -> int:
    """Runs `dser predict`; returns its exit code."""
    try:
        main(["predict", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# Cutting


def test_utterances_between_silences():
    quiet = noise(1.0, 0.001)
    signal = np.concatenate([quiet, noise(0.8), quiet, noise(1.2), noise(0.1, 0.001), noise(0.5)])
    # 1.0-1.8, and 2.8-4.6 with a pause of 0.1 s that is none; 0.1 s stays at both ends.
    np.testing.assert_allclose(cut(signal), [(0.9, 1.9), (2.7, 4.6)], atol=0.03)


def test_a_click_is_no_utterance_and_silence_has_none():
    quiet = noise(1.0, 0.001)
    spans = cut(np.concatenate([quiet, noise(0.05), quiet, noise(0.6), quiet]))
    np.testing.assert_allclose(spans, [(1.95, 2.75)], atol=0.03)
    assert cut(np.zeros(5 * RATE, np.float32)) == []
    assert cut(noise(2.0, 1e-5)) == []
    assert cut(noise(0.02)) == []


def test_what_is_too_long_is_parted_where_it_is_quietest():
    dip = noise(0.2, 0.05)
    signal = np.concatenate([noise(4.0), dip, noise(3.0)])
    assert len(cut(signal, longest=10.0)) == 1
    (first, middle), (again, last) = cut(signal, longest=5.0)
    assert 4.0 <= middle == again <= 4.2
    assert (first, last) == pytest.approx((0, 7.2), abs=0.03)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.05, 2), st.sampled_from([0.0, 0.001, 0.1, 0.3])), max_size=8),
    st.floats(0.5, 3),
)
def test_utterances_are_in_order_apart_and_short_enough(parts, longest):
    signal = np.concatenate([np.zeros(500, np.float32), *(noise(s, loud) for s, loud in parts)])
    spans = cut(signal, longest)
    times = [time for span in spans for time in span]
    assert times == sorted(times)
    assert all(0 <= first < last <= len(signal) / RATE for first, last in spans)
    assert all(last - first <= longest + 1e-9 for first, last in spans)


# What is to be predicted


def test_a_folder_and_the_words_beside(tmp_path):
    for name in ("b.wav", "a.WAV", "sub/c.wav"):
        write(tmp_path / name, noise(0.1))
    (tmp_path / "b.txt").write_text("\ufeffhow nice\nto see\n", "utf-8")
    (tmp_path / "notes.md").write_text("no recording")
    pieces = find([tmp_path]).pieces
    assert [piece.file.name for piece in pieces] == ["a.WAV", "b.wav", "c.wav"]
    assert [piece.text for piece in pieces] == [None, "how nice to see", None]
    (given,) = find([tmp_path / "b.wav"], ["other words"]).pieces
    assert given.text == "other words"


def test_what_macs_add_is_passed_over_and_links_are_followed(tmp_path):
    folder, other = tmp_path / "rec", tmp_path / "other"
    for file in (folder / "one.wav", folder / "__MACOSX" / "two.wav", other / "three.wav"):
        write(file, noise(0.1))
    (folder / "._one.wav").write_bytes(b"\0\5\x16\7")
    (folder / "link").symlink_to(other)
    (other / "back").symlink_to(folder)
    assert [piece.file.name for piece in find([folder]).pieces] == ["three.wav", "one.wav"]
    (given,) = find([folder / "._one.wav"]).pieces  # Who names a file means it.
    assert given.file.name == "._one.wav"


def test_a_csv_by_its_columns(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(
        "n,File,start,end,Text,note\n"
        '1,a.wav,0 days 00:00:01.500000,2.5,"how, nice",x\n'
        "2,b.wav,,NaT,,y\n"
        "3,c.wav,soon,,words,z\n"
        "4,d.wav\n"
    )
    asked = find([table])
    assert asked.header == ("n", "File", "start", "end", "Text", "note")
    first, second, third, fourth = asked.pieces
    assert first == Piece(tmp_path / "a.wav", 1.5, 2.5, "how, nice", ("1", "a.wav", *first.row[2:]))
    assert second == Piece(tmp_path / "b.wav", row=("2", "b.wav", "", "NaT", "", "y"))
    assert "the start is not a time, found 'soon'" in third.problem
    assert fourth.row == ("4", "d.wav", "", "", "", "")
    assert "t.csv:5: a row with the wrong number of cells, found 2; expected 6" in fourth.problem
    assert asked.said == ("t.csv: 4 rows, comma, quoted cells, UTF-8",)
    other = find([table], columns={"transcript": "note"}, audio_root=Path("elsewhere"))
    assert (other.pieces[0].file, other.pieces[0].text) == (Path("elsewhere/a.wav"), "x")


def test_what_cannot_be_asked(tmp_path):
    write(tmp_path / "a.wav", noise(0.1))
    (tmp_path / "t.csv").write_text("name,age\nx,3\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DserError, match="nothing to predict"):
        find([])
    with pytest.raises(DserError, match="2 texts for 1 recording:"):
        find([tmp_path / "a.wav"], ["one", "two"])
    with pytest.raises(DserError, match="expected a header with a column file or transcript"):
        find([tmp_path / "t.csv"])
    with pytest.raises(DserError, match="no such column for file, found 'path'"):
        find([tmp_path / "t.csv"], columns={"file": "path"})
    with pytest.raises(DserError, match="--column session="):
        find([tmp_path / "t.csv"], columns={"session": "name"})
    with pytest.raises(DserError, match="give one table, or recordings"):
        find([tmp_path / "t.csv", tmp_path / "a.wav"])
    with pytest.raises(DserError, match="no recording in this folder"):
        find([tmp_path / "empty"])


# Predicting


def test_a_long_recording_becomes_a_time_line(speech, tmp_path):
    quiet = noise(1.0, 0.001)
    parts = [piece for seed in range(20) for piece in (quiet, noise(0.7, seed=seed))]
    file = write(tmp_path / "long.wav", *parts)
    asked = find([file])
    found = predict(speech, asked)
    assert len(found) == 20
    begin = [each.piece.start for each in found]
    np.testing.assert_allclose(begin, 0.9 + 1.7 * np.arange(20), atol=0.03)
    (whole,) = predict(speech, asked, cutting="never")
    assert (whole.piece.start, whole.piece.end) == (0.0, pytest.approx(34.0))
    part = found[3].piece
    signal = soundfile.read(file, dtype="float32")[0]
    alone = speech(signal[round(part.start * RATE) : round(part.end * RATE)])
    np.testing.assert_allclose(found[3].estimate.pred, alone.pred, atol=1e-5)
    short = write(tmp_path / "short.wav", quiet, noise(0.7), quiet, noise(0.7, seed=1))
    assert len(predict(speech, find([short]))) == 1
    assert len(predict(speech, find([short]), cutting="always")) == 2


def test_words_are_recognized_utterance_by_utterance(both, tmp_path):
    quiet = noise(1.0, 0.001)
    file = write(tmp_path / "two.wav", noise(0.7), quiet, noise(1.4, seed=1))
    heard = []

    def transcribe(signal):
        heard.append(len(signal) / RATE)
        return ["the weather", "is awful"][len(heard) - 1]

    found = predict(both, find([file]), transcriber=transcribe, cutting="always")
    np.testing.assert_allclose(heard, [0.8, 1.5], atol=0.05)
    assert [each.piece.text for each in found] == ["the weather", "is awful"]
    assert all(each.estimate is not None for each in found)
    (tmp_path / "two.txt").write_text("the weather is awful")
    (given,) = predict(both, find([file]), transcriber=transcribe)
    assert given.piece.text == "the weather is awful"
    assert len(heard) == 2
    (refused,) = predict(both, find([file]), cutting="always")
    assert "one text for 3 s, which would be cut" in refused.piece.problem


def test_recognizers(monkeypatch, tmp_path):
    module = tmp_path / "mine_for_test.py"
    module.write_text("def make():\n    return lambda signal: f'{len(signal)} samples'\n")
    monkeypatch.chdir(tmp_path)
    assert make_transcriber("mine_for_test:make")(noise(0.01)) == "160 samples"
    for name in ("whisper", "nowhere_at_all:make", "mine_for_test:other"):
        with pytest.raises(DserError, match=r"pocketsphinx, or MODULE:FUNCTION"):
            make_transcriber(name)
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(DserError, match=r"pip install 'dser_jax\[asr\]'"):
        make_transcriber("pocketsphinx")


def test_pocketsphinx_hears_words():
    pytest.importorskip("pocketsphinx")
    transcribe = TRANSCRIBERS["pocketsphinx"]()
    assert isinstance(transcribe(np.zeros(RATE, np.float32)), str)
    if not SPEECH.exists():
        pytest.skip("../shared/data/speech is not here")
    signal = soundfile.read(SPEECH / "00.wav", dtype="float32")[0]
    words = transcribe(signal).split()
    assert words
    assert all(word.replace("'", "").isalpha() for word in words)


# The command


@pytest.fixture
def fifty(tmp_path) -> Path:
    """Some recordings, among them one that is damaged, one that is short, one of another rate."""
    folder = tmp_path / "recordings"
    for i in range(4):
        write(folder / f"{i}.wav", noise(0.3, seed=i))
    (folder / "bad.wav").write_bytes(b"RIFF nothing of the kind")
    write(folder / "phone.wav", noise(0.3), rate=8000)
    write(folder / "short.wav", noise(0.01))
    return folder


def test_what_is_bad_stops_no_other(exported, fifty, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert run(exported["speech"], fifty, "--out", out) == 3
    said = capsys.readouterr()
    for name, why in (("bad", "not a readable"), ("phone", "16 kHz"), ("short", "one window")):
        (line,) = (line for line in said.err.splitlines() if f"{name}.wav" in line)
        assert line.startswith("dser: ")
        assert why in line
    assert "3 not predicted, 4 done" in said.err
    assert said.out.endswith(f"\n{out}: 7 rows written\n")
    rows = rows_of(out.read_text())
    assert [Path(row["file"]).name[0] for row in rows] == ["0", "1", "2", "3", "b", "p", "s"]
    for row in rows:
        assert bool(row["problem"]) == (row["pred_valence"] == "")
    assert run(exported["speech"], fifty, "--convert", "--out", out) == 3
    assert sum(row["problem"] == "" for row in rows_of(out.read_text())) == 5
    assert run(exported["speech"], fifty / "0.wav", fifty / "gone.wav") == 3
    assert "no such recording" in capsys.readouterr().err
    assert run(exported["speech"], fifty / "bad.wav") == 3
    assert "1 not predicted, 0 done" in capsys.readouterr().err


def test_the_same_problem_is_said_once_and_of_many_the_file_has_all(exported, tmp_path, capsys):
    table, out = tmp_path / "asked.csv", tmp_path / "out.csv"
    table.write_text("file,transcript\n" + "".join(f",word {i}\n" for i in range(5)) + "a.wav,so\n")
    assert run(exported["both"], table, "--out", out) == 3
    said = capsys.readouterr().err
    assert "dser: no recording (5 of them)" in said
    assert said.count("no recording") == 1
    assert "6 not predicted, 0 done" in said
    table.write_text("file,transcript\n" + "".join(f"{i}.wav,so\n" for i in range(30)))
    assert run(exported["both"], table, "--out", out) == 3
    said = capsys.readouterr().err
    assert said.count("no such recording") == 10
    assert f"dser: and 20 more (`problem` in {out})" in said
    assert sum("no such recording" in row["problem"] for row in rows_of(out.read_text())) == 30
    assert run(exported["both"], table) == 3
    assert capsys.readouterr().err.count("no such recording") == 30


def test_what_is_no_signal_is_not_predicted(exported, tmp_path, capsys):
    folder, sound = tmp_path / "recordings", noise(0.3)
    write(folder / "silent.wav", np.zeros(RATE))
    soundfile.write(folder / "plugs.wav", np.stack([sound, -sound], 1), RATE)
    soundfile.write(folder / "integers.wav", np.round(sound * 8000), RATE, subtype="FLOAT")
    soundfile.write(folder / "au.wav", sound, RATE, format="AU")
    (folder / "au.wav").write_bytes((folder / "au.wav").read_bytes()[:-2000])
    sound[100] = 1.07
    soundfile.write(folder / "loud.wav", sound, RATE, subtype="FLOAT")
    assert run(exported["speech"], folder, "--convert") == 3
    said = capsys.readouterr().err
    for what in (
        "silent.wav: a silent recording",
        "plugs.wav: channels that cancel out",
        "integers.wav: samples reach 8000; expected [-1, 1]",
        "au.wav: a truncated recording, found '7600 bytes of samples'; expected 9600",
        "4 not predicted, 1 done",
        f"1 recording reaches above 1, {folder / 'loud.wav'} 1.07: ",
    ):
        assert what in " ".join(said.split()).replace("- ", "-"), what


def test_a_csv_keeps_its_columns(exported, fifty, tmp_path, capsys):
    table = tmp_path / "asked.csv"
    table.write_text(
        'id,file,valence,transcript\n007,recordings/1.wav," 3,5",the weather\n'
        "x,recordings/bad.wav,,is awful\n7,recordings/0.wav,,\n"
    )
    assert run(exported["both"], table, "--out", "-") == 3
    said = capsys.readouterr()
    rows = rows_of(said.out)
    assert [row["id"] for row in rows] == ["007", "x", "7"]
    assert [row["valence"] for row in rows] == [" 3,5", "", ""]
    assert "no words" in rows[2]["problem"]
    value, unit = float(rows[0]["pred_arousal"]), float(rows[0]["unit_arousal"])
    assert value == pytest.approx(1 + (unit + 1) / 2 * 4, abs=1e-5)
    assert float(rows[0]["spread_arousal"]) > 0
    table.write_text(said.out)
    assert run(exported["both"], table, "--out", "-") == 2
    assert "has a column 'pred_arousal' already" in capsys.readouterr().err


def test_csv_on_stdout_is_utf_8_and_the_table_replaces(exported, fifty, monkeypatch, tmp_path):
    def printed(encoding: str, *arguments: object) -> bytes:
        raw = io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream := io.TextIOWrapper(raw, encoding=encoding))
            assert run(exported["both"], *arguments) == 0
        stream.flush()
        return raw.getvalue()

    asked = [fifty / "0.wav", "--text", "the 天気 is new"]
    data = printed("cp1252", *asked, "--out", "-")
    assert data == printed("utf-8", *asked, "--out", "-")
    assert rows_of(data.decode("utf-8"))[0]["transcript"] == "the 天気 is new"
    table = printed("cp1252", *asked).decode("cp1252")
    assert "the ?? is new" in table
    assert " ± " in table


def test_names_are_neither_obeyed_nor_computed(exported, fifty, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("=1+1.wav", "+x\x1b[2J.wav", "@bad.wav")
    for name in names[:2]:
        write(Path(name), noise(0.3))
    Path(names[2]).write_bytes(b"no recording")
    assert run(exported["speech"], *names, "--out", "out.csv") == 3
    said = capsys.readouterr()
    assert r"+x\x1b[2J.wav" in said.out
    assert "\x1b" not in said.out + said.err
    rows = rows_of(Path("out.csv").read_text("utf-8"))
    assert [row["file"] for row in rows] == [f"'{name}" for name in names]
    assert rows[2]["problem"].startswith("'@bad.wav: ")
    assert all(float(row["pred_valence"]) for row in rows[:2])
    # What the table of the user's own has is as it was.
    table = tmp_path / "t.csv"
    table.write_text(f"file,note\n{names[0]},=A1\n")
    assert run(exported["speech"], table, "--out", "-") == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert (row["file"], row["note"]) == (names[0], "=A1")


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of audformat, as it reads
def test_the_formats_say_the_same(exported, fifty, tmp_path, capsys):
    import audformat

    (fifty / "bad.wav").unlink()
    (fifty / "phone.wav").unlink()
    (fifty / "short.wav").unlink()
    texts = [argument for _ in range(4) for argument in ("--text", "the weather is new")]
    for out in ("out.csv", "out.json", "database"):
        assert run(exported["both"], fifty, *texts, "--out", tmp_path / out) == 0
    said = capsys.readouterr()
    assert "the model knows 12 of 16" in said.err
    rows = rows_of((tmp_path / "out.csv").read_text())
    found = json.loads((tmp_path / "out.json").read_text())
    table = audformat.Database.load(tmp_path / "database")["predictions"].get()
    assert len(rows) == len(found["utterances"]) == len(table) == 4
    assert found["model"]["scale"] == [1.0, 5.0]
    for row, entry, (index, line) in zip(rows, found["utterances"], table.iterrows(), strict=True):
        assert row["file"] == entry["file"] == index[0]
        assert float(row["end"]) == entry["end"] == index[2].total_seconds() == 0.3
        assert row["transcript"] == entry["transcript"] == "the weather is new"
        for attr in ("valence", "arousal", "dominance"):
            values = [entry[attr][key] for key in ("value", "unit", "spread")]
            cells = [float(row[f"{kind}_{attr}"]) for kind in ("pred", "unit", "spread")]
            lines = [line[name] for name in (attr, f"{attr}.unit", f"{attr}.spread")]
            assert cells == pytest.approx(values, abs=2e-6)
            assert lines == pytest.approx(values, abs=2e-6)
        assert f"{float(row['pred_valence']):.2f} ± " in said.out


def test_refusals_of_the_command(exported, fifty, tmp_path, capsys):
    def refused(*arguments) -> str:
        assert run(*arguments) == 2
        return capsys.readouterr().err

    assert "--text TEXT, a column transcript" in refused(exported["both"], fifty)
    assert "which format?" in refused(exported["speech"], fifty, "--out", "x.docx")
    assert "belongs to --out" in refused(exported["speech"], fifty, "--format", "csv")
    assert "no such folder" in refused(tmp_path / "no model", fifty)
    assert "nothing to predict" in refused(exported["speech"])
    assert "give recordings" in refused(exported["both"], "--text", "the weather")


def test_the_place_is_looked_at_before_anything_is_predicted(tmp_path, monkeypatch, capsys):
    (tmp_path / "c.toml").write_text("")
    for name in ("folder.csv", "locked"):
        (tmp_path / name).mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, m: Path(p).name != "locked" and allowed(p, m))
    for problem, *out in (
        ("c.toml is a file; expected a folder", "c.toml/p.csv"),
        ("folder.csv: a folder; expected a file, as the format is csv", "folder.csv"),
        ("locked is not writable", "locked/p.json"),
        ("locked is not writable", "locked"),
        ("c.toml: a file; expected a folder", "c.toml", "--format", "audformat"),
    ):
        place, *rest = out
        # There is no such model: whatever is said of it would come too late.
        assert run("no model", "a.wav", "--out", tmp_path / place, *rest) == 2
        assert problem in " ".join(capsys.readouterr().err.split()), out


def test_what_is_read_is_not_written_over(exported, fifty, capsys):
    table = fifty / "t.csv"
    table.write_text("file;n\n0.wav;1,5\n")
    (fifty / "link.csv").symlink_to(table)
    for out in (table, fifty / "link.csv"):
        assert run(exported["speech"], table, "--out", out) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "which is read, and would be overwritten; name another file" in said
    assert table.read_text() == "file;n\n0.wav;1,5\n"
    before = (fifty / "0.wav").read_bytes()
    where = ("--out", fifty / "0.wav", "--format", "csv")
    assert run(exported["speech"], fifty / "0.wav", *where) == 2
    assert (fifty / "0.wav").read_bytes() == before


def test_a_recording_that_is_not_there_is_said_before_its_words_are(exported, fifty, capsys):
    (fifty / "t.csv").write_text("file\ngone.wav\nlost.wav\n")
    for asked, names in ((fifty / "gone.wav", ["gone"]), (fifty / "t.csv", ["gone", "lost"])):
        assert run(exported["both"], asked) == 3
        said = capsys.readouterr().err
        assert [f"{name}.wav: no such recording" in said for name in names] == [True] * len(names)
        assert "--text" not in said
    assert run(exported["both"], fifty / "0.wav") == 2
    assert "words too, and none are given" in capsys.readouterr().err


def test_a_half_that_is_missing(exported, both, fifty, tmp_path, capsys):
    """Skipped by default; kept, the other half predicts, as if there were no words, or no frame."""
    table = tmp_path / "asked.csv"
    rows = ("recordings/1.wav,the weather,1", "recordings/1.wav,,2", ",the weather,3", ",,4")
    table.write_text("\n".join(["file,transcript,n", *rows]) + "\n")
    assert run(exported["both"], table, "--out", "-") == 3
    problems = [row["problem"] for row in rows_of(capsys.readouterr().out)]
    assert [bool(problem) for problem in problems] == [False, True, True, True]
    keep = ("--missing-transcripts", "keep", "--missing-speech", "keep", "--out", "-")
    assert run(exported["both"], table, *keep) == 3
    said = capsys.readouterr()
    found = rows_of(said.out)
    assert [row["problem"] for row in found] == ["", "", "", "no recording"]
    assert "1 predicted without words, from speech alone" in said.err
    assert "1 predicted without a recording, from words alone" in said.err
    # The words of no training row, which the model passes over, are no words at all.
    want = both(fifty / "1.wav", "xyzzy").pred[0]
    assert float(found[1]["unit_valence"]) == pytest.approx(want, abs=1e-5)
    nothing = both.hearing.nothing
    want = both.predict([nothing], ["the weather"]).pred[0, 0]
    assert float(found[2]["unit_valence"]) == pytest.approx(want, abs=1e-5)
    assert found[2]["unit_valence"] != found[0]["unit_valence"]
    assert run(exported["both"], fifty / "1.wav", *keep) == 0
    assert run(exported["both"], "--text", "the weather", *keep) == 0


def test_blank_words_are_none_wherever_they_come_from(exported, both, fifty, tmp_path, capsys):
    files = [tmp_path / f"{i}.wav" for i in range(3)]
    for file, text in zip(files, ("the weather", " \n", None), strict=True):
        file.write_bytes((fifty / "1.wav").read_bytes())
        if text is not None:
            file.with_suffix(".txt").write_text(text)
    texts = [part for text in ("the weather", "", " ") for part in ("--text", text)]
    table = tmp_path / "asked.csv"
    table.write_text("file,transcript\n0.wav,the weather\n1.wav, \n2.wav,\n")
    keep = ("--missing-transcripts", "keep")
    for asked in (files, [*files, *texts], [table]):
        assert run(exported["both"], *asked) == 3
        said = capsys.readouterr().err
        assert "2 not predicted, 1 done" in said
        for name in ("1.wav", "2.wav"):  # Which is named, as of any other problem.
            assert f"{name}: no words: give them, or --asr pocketsphinx, or --missing" in said
        assert run(exported["both"], *asked, *keep) == 0
        assert "2 predicted without words, from speech alone" in capsys.readouterr().err
    assert run(exported["both"], files[1]) == run(exported["both"], files[2]) == 2


def test_a_csv_of_words_for_a_model_of_words(tmp_path):
    words = make_model(acoustic=None, members=1)
    table = tmp_path / "t.tsv"
    table.write_text("transcript\tn\nthe weather\t1\nis awful\t2\n")
    asked = find([table])
    rows = rows_of(as_csv(words, predict(words, asked), asked.header))
    assert [row["n"] for row in rows] == ["1", "2"]
    want = words(text=["the weather", "is awful"]).pred[:, 0]
    assert [float(row["unit_valence"]) for row in rows] == pytest.approx(want.tolist(), abs=1e-5)
    given = predict(words, Asked((Piece(text="is awful"),)))
    assert given[0].estimate.pred[0] == pytest.approx(want[1], abs=1e-5)


def test_a_column_that_is_there_already_is_refused_before_anything_is_predicted(tmp_path, capsys):
    model, table = make_model(acoustic=None), tmp_path / "calls.csv"
    check_columns(model, ["transcript", "far", "pred"])
    for name in ("pred_valence", "unit_arousal", "spread_dominance", "problem"):
        with pytest.raises(DserError, match=f"has a column '{name}' already; rename it there"):
            check_columns(model, ["transcript", name])
    folder = tmp_path / "model"
    folder.mkdir()
    write_bundle(model.bundle, folder)
    table.write_text("transcript,pred_valence\nhello,1\n")
    with pytest.raises(SystemExit) as caught:
        main(["predict", str(folder), str(table), "--out", str(tmp_path / "out.csv")])
    assert caught.value.code == 2
    assert "already; rename it there" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
