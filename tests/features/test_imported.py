from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dser_jax.corpora.utterances import Utterance
from dser_jax.features.imported import load_imported
from dser_jax.system.errors import DataError

TABLE = [Utterance(f"u{i}", file=Path(f"wav/r{i}.wav")) for i in range(3)]


def save(folder: Path, array) -> Path:
    np.save(folder / "x.npy", array)
    return folder / "x.npy"


def write(folder: Path, text: str) -> Path:
    path = folder / "x.csv"
    path.write_text(text, "utf-8")
    return path


def rows(found) -> list:
    return [part.tolist() for part in found.utterances]


def test_a_row_an_utterance(tmp_path):
    array = np.arange(6).reshape(3, 2)
    found = load_imported(save(tmp_path, array), "mine", TABLE)
    assert found.kind == "hsf"
    assert found.columns == ("mine_0", "mine_1")
    assert rows(found) == [[[0, 1]], [[2, 3]], [[4, 5]]]
    assert found.utterances[0].dtype == np.float32


def test_padded_frames_are_trimmed_and_said(tmp_path):
    array = np.zeros((3, 4, 2))
    array[0] = [[0, 0], [0, 0], [1, 2], [3, 0]]
    array[1] = [[1, 2], [0, 0], [3, 4], [0, 0]]
    array[2] = 5
    found = load_imported(save(tmp_path, array), "mine", TABLE)
    assert found.kind == "lld"
    assert rows(found) == [[[1, 2], [3, 0]], [[1, 2], [0, 0], [3, 4]], [[5, 5]] * 4]
    (said,) = found.said
    assert "2 frames in front and 1 at the back; 9 frames stay" in said
    assert not found.problems


def test_problems_name_the_row(tmp_path):
    array = np.ones((3, 2))
    array[1, 1] = np.inf
    found = load_imported(save(tmp_path, array), "mine", TABLE)
    (problem,) = found.problems.items()
    assert problem[0] == 1
    assert "x.npy: row 2 (utterance u1) cannot be used, found 'inf as mine_1'" in str(problem[1])
    frames = np.ones((3, 4, 2))
    frames[0], frames[2, 3, 0] = 0, np.nan
    found = load_imported(save(tmp_path, frames), "mine", TABLE)
    assert "row 1 (utterance u0) cannot be used, found 'only zeros'" in str(found.problems[0])
    assert "row 3 (utterance u2) cannot be used, found 'nan as mine_0 of frame 3'" in str(
        found.problems[2]
    )


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((4, 2)), "not the rows of this table, found '4'; expected 3, one for each"),
        (np.ones((2, 5, 2)), "not the rows of this table, found '2'; expected 3, one for each"),
        (np.ones(3), r"not an array of features, found 'float64 \[3\]'; expected numbers \[utt"),
        (np.array(["a"] * 3)[:, None], "not an array of features, found '<U1"),
        (np.array([{}] * 3), "not an array of numbers"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, array, message):
    with pytest.raises(DataError, match=message):
        load_imported(save(tmp_path, array), "mine", TABLE)


@pytest.mark.parametrize(
    "text",
    [
        "name;frameTime;a;b\n'unknown';0.0;1;2\n'unknown';0.0;3;4\n'unknown';0.0;5;6\n",
        "name;frameTime;a;b\n'r0';0.0;1;2\n'r1';0.0;3;4\n'r2';0.0;5;6\n",
        "file,start,end,a,b\nx/r0.wav,0 days,0 days 00:00:01,1,2\n"
        "x/r1.wav,0 days,0 days 00:00:01,3,4\nx/r2.wav,0 days,0 days 00:00:01,5,6\n",
        "file,a,b\nu2,5,6\nu0,1,2\nu1,3,4\n",
        "\ufeffa;b\r\n1;2\r\n3;4\r\n5;6\r\n\r\n",
    ],
)
def test_opensmile_functionals(tmp_path, text):
    found = load_imported(write(tmp_path, text), "mine", TABLE)
    assert found.kind == "hsf"
    assert found.columns == ("a", "b")
    assert rows(found) == [[[1, 2]], [[3, 4]], [[5, 6]]]
    assert found.said[0].startswith("x.csv: 3 rows, ")
    assert len(found.said) == 1 + ("u2" in text)


@pytest.mark.parametrize(
    "text",
    [
        "name;frameTime;a\nr0;0.0;1\nr0;0.01;2\nr1;0.0;3\nr2;0.0;4\nr2;0.01;5\n",
        "name;frameTime;a\nx;0.0;1\nx;0.01;2\nx;0.0;3\nx;0.0;4\nx;0.01;5\n",
        "frameTime,a\n0.0,1\n0.01,2\n0.0,3\n0.0,4\n10.0,5\n",
        "file,frameIndex,a\nr2,0,4\nr2,1,5\nr0,0,1\nr0,1,2\nr1,0,3\n",
        "file,start,end,a\nr0,0 days 00:00:00,0 days 00:00:00.02,1\n"
        "r0,0 days 00:00:00.010000,0 days 00:00:00.03,2\nr1,0 days 00:00:00,0 days 00:00:00.02,3\n"
        "r2,0 days 00:00:00,0 days 00:00:00.02,4\nr2,0 days 00:00:00.010000,0 days 00:00:00.03,5\n",
    ],
)
def test_opensmile_frames(tmp_path, text):
    found = load_imported(write(tmp_path, text), "mine", TABLE)
    assert found.kind == "lld"
    assert found.columns == ("a",)
    assert rows(found) == [[[1], [2]], [[3]], [[4], [5]]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name;a\nr0;1\nr1;2\n", "not the rows of this table, found '2'; expected 3"),
        (
            "name;frameTime;a\nr0;0;1\nr0;1;2\nr0;2;3\nr1;0;2\n",
            "not the recordings of this table, found '2'; expected 3",
        ),
        ("name;a\nr0;1\nr1;x\nr2;1\n", r"x\.csv:3: a value of a that is no number, found 'x'"),
        ("name;a\nr0;1\nr1\nr2;1\n", r"x\.csv:3: a row with the wrong number of cells, found 1"),
        ("name;frameTime\nr0;0\n", "no columns of features, found 'name, frameTime'"),
        ("", "an empty table; expected a header"),
        ("name;a\nr0;1\nr9;2\nr2;3\n", "no row for utterance u1, though others have theirs"),
        ("name;a\nx;1\ny;2\nz;3\n", "row 1 has a name that is not that of the table's row, fo"),
        ("name;a\nr0;1\nr2;2\nr2;3\n", "row 2 has a name that is not that of the table's row"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        load_imported(write(tmp_path, text), "mine", TABLE)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"name;a\nr0;\xff\xfe\n")
    with pytest.raises(DataError, match=r"x\.csv:2: a byte that is not UTF-8.*--encoding"):
        load_imported(tmp_path / "x.csv", "mine", TABLE)


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"no\.npy: no such file; expected features as \.npy or"):
        load_imported(tmp_path / "no.npy", "mine", TABLE)


def test_a_nan_in_a_table(tmp_path):
    found = load_imported(write(tmp_path, "name;a\nr0;1\nr1;nan\nr2;3\n"), "mine", TABLE)
    assert list(found.problems) == [1]
