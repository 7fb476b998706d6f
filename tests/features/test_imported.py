from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dser_jax.corpora.utterances import Utterance
from dser_jax.features.imported.loading import load_imported
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
    assert "row 1 (utterance u0) has no features, found 'only zeros'" in str(found.missing[0])
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
        "start;frameTime;a\n0.0;0;1\n0.01;0;2\n0.0;0;3\n0.0;0;4\n0.01;0;5\n",
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
        ("a\n1\n2\n", "not the rows of this table, found '2'; expected 3, one for each utterance"),
        (
            "frameTime;a\n0;1\n1;2\n2;3\n0;2\n",
            "not the recordings of this table, found '2'; expected 3",
        ),
        ("name;a\nr0;1\nr1;x\nr2;1\n", r"x\.csv:3: a value of a that is no number, found 'x'"),
        ("name;a\nr0;1\nr1\nr2;1\n", r"x\.csv:3: a row with the wrong number of cells, found 1"),
        ("name;frameTime\nr0;0\n", "no columns of features, found 'name, frameTime'"),
        ("", "an empty table; expected a header"),
        ("name;a\nx;1\ny;2\nz;3\n", "row 1 has a name that is not that of the table's row, no"),
        ("name;a\nr0;1\nr2;2\nr2;3\n", "2 rows of one name, the second of them row 3, found 'r2'"),
        ("name;a\nr0;1\nr1;2\nr0;3\nr2;3\n", "2 rows of one name, the second of them row 3, fo"),
        ("name;frameTime;a\nr0;0;1\nr0;0;2\nr1;0;1\nr2;0;1\n", "2 rows of one name, the second"),
        ("name;a;a\nr0;1;2\n", "two columns of one name, found 'a'"),
        ("name;a;b\nr0;1;\nr1;2;nan\nr2;3;\n", "nothing in 'b'; expected numbers"),
        ("file;a\nx/r0.wav;1\ny/r0.wav;2\nx/r1.wav;1\nx/r2.wav;1\n", "several names that may be"),
        (",a\n2,1\n0,2\n1,3\n", "a column without a name does not number the rows of the tabl"),
        ("index,a\n2,1\n0,2\n1,3\n", "'index' does not number the rows of the table one"),
        ("Unnamed: 0,a\n.5,1\n.5,2\n.1,3\n", "'Unnamed: 0' does not number the rows"),
        ("index\n0\n1\n2\n", "no features but the numbers of the rows"),
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


def test_what_is_not_there_and_what_cannot_be_used(tmp_path):
    text = "name;a;b\nr0;1;2\nr1;nan;\nr3;1;1\n"
    table = [*TABLE, Utterance("u3", file=Path("wav/r3.wav"))]
    found = load_imported(write(tmp_path, text), "mine", table)
    assert [part is None for part in found.utterances] == [False, True, True, False]
    assert "row 2 (utterance u1) has no features, found 'only NaN'" in str(found.missing[1])
    assert str(found.missing[2]) == (
        f"{tmp_path / 'x.csv'}: no row for utterance u2, though others have theirs; expected a row "
        "named 'r2' or 'u2'"
    )
    found = load_imported(write(tmp_path, "name;a;b\nr0;1;2\nr1;nan;1\nr2;1;1e39\n"), "m", TABLE)
    assert "found 'nan as a'" in str(found.problems[1])
    assert "found 'inf as b'; expected finite features, in float32" in str(found.problems[2])
    assert not found.missing


@pytest.mark.parametrize(
    "text",
    [
        ",a,b\n0,1,2\n1,3,4\n2,5,6\n",
        "index,a,b\n7,1,2\n9,3,4\n12,5,6\n",
        "Unnamed: 0,Unnamed: 0.1,a,b\n0,1,1,2\n1,2,3,4\n2,3,5,6\n",
        "level_0,a,b\n0,1,2\n1,3,4\n2,5,6\n",
        "id,a,b\n0,1,2\n1,3,4\n2,5,6\n",
        "a,b,\n1,2,0\n3,4,1\n5,6,0\n",
    ],
)
def test_numbers_of_rows_are_left_out_and_said(tmp_path, text):
    found = load_imported(write(tmp_path, text), "mine", TABLE)
    assert found.columns == ("a", "b")
    assert rows(found) == [[[1, 2]], [[3, 4]], [[5, 6]]]
    assert any("is left out" in line for line in found.said[1:])


def test_numbers_of_rows_under_any_name(tmp_path):
    table = [Utterance(f"u{i}") for i in range(12)]
    array = np.stack([np.sin(np.arange(12.0)), np.arange(12.0) + 1, np.ones(12)], 1)
    found = load_imported(save(tmp_path, array), "mine", table)
    assert found.columns == ("mine_0", "mine_2")
    np.testing.assert_array_equal(np.concatenate(found.utterances), np.float32(array[:, [0, 2]]))
    assert found.said == ["x.npy: column 1 numbers the rows, and is left out"]
    lines = [f"{a!r},{n}" for a, n in zip(array[:, 0].tolist(), range(12), strict=True)]
    found = load_imported(write(tmp_path, "\n".join(["loud,nr", *lines])), "mine", table)
    assert found.columns == ("loud",)
    assert "x.csv: 'nr' numbers the rows, and is left out" in found.said
    array[:, 1] = 100 - 0.1 * np.arange(12)
    found = load_imported(save(tmp_path, array), "mine", table)
    assert found.columns == ("mine_0", "mine_2")


def test_an_index_of_names(tmp_path):
    """As pandas writes one that has no name."""
    for name in ("", "Unnamed: 0", "index"):
        text = f"{name},a\nr2.wav,3\nr0.wav,1\nr1.wav,2\n"
        found = load_imported(write(tmp_path, text), "mine", TABLE)
        assert found.columns == ("a",)
        assert rows(found) == [[[1]], [[2]], [[3]]]
    shuffled = "index,file,a\n2,r2,3\n0,r0,1\n1,r1,2\n"
    found = load_imported(write(tmp_path, shuffled), "mine", TABLE)
    assert rows(found) == [[[1]], [[2]], [[3]]]


def test_a_table_without_a_header(tmp_path):
    text = "r1.wav,0.25,2\nr0.wav,0.5,1\nr2.wav,1,3\n"
    message = r"x\.csv:1: no header\? the first line has numbers .*'r1\.wav, 0\.25, 2'.*--no-header"
    with pytest.raises(DataError, match=message):
        load_imported(write(tmp_path, text), "mine", TABLE)
    found = load_imported(write(tmp_path, text), "mine", TABLE, header=False)
    assert found.columns == ("mine_0", "mine_1")
    assert rows(found) == [[[0.5, 1]], [[0.25, 2]], [[1, 3]]]
    numbers = "0.1;-2\n0.2;3\n0.3;5\n"
    with pytest.raises(DataError, match=r"no header\?"):
        load_imported(write(tmp_path, numbers), "mine", TABLE)
    found = load_imported(write(tmp_path, numbers), "mine", TABLE, header=False)
    np.testing.assert_allclose(np.concatenate(found.utterances), [[0.1, -2], [0.2, 3], [0.3, 5]])


@pytest.mark.parametrize("header", ["0,1", "1,2", "file,50,90", "index,50,90", "p10,90,x"])
def test_numbers_that_are_names_of_columns(tmp_path, header):
    lead = {"file": ["r0,", "r1,", "r2,"], "index": ["0,", "1,", "2,"]}
    lines = [f"{a}.5,{a}.25" for a in range(3)]
    first = header.split(",")[0]
    if first in lead:
        lines = [a + b for a, b in zip(lead[first], lines, strict=True)]
    elif header.count(",") == 2:
        lines = [f"{line},7" for line in lines]
    found = load_imported(write(tmp_path, "\n".join([header, *lines])), "mine", TABLE)
    assert [part[0, 0] for part in found.utterances] == [0.5, 1.5, 2.5]
    assert found.columns == tuple(name for name in header.split(",") if name not in lead)
