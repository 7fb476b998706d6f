"""Which row of a file of features belongs to which utterance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dser_jax.corpora.utterances import Utterance
from dser_jax.features.imported.loading import load_imported
from dser_jax.system.errors import DataError


def write(folder: Path, *lines: str) -> Path:
    path = folder / "x.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def first(found) -> list:
    return [None if part is None else part[:, 0].tolist() for part in found.utterances]


def table(*names: str, **more) -> list[Utterance]:
    """Utterances whose ids are u0, u1, ..., of recordings that are called so."""
    return [Utterance(f"u{i}", file=Path("/data") / name, **more) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("file", ("wav/a.wav", "wav/b.wav", "wav/c.wav")),
        ("File", ("a.flac", "b.flac", "c.flac")),
        ("filename", ("a", "b", "c")),
        ("path", ("C:\\x\\a.wav", "C:\\x\\b.wav", "C:\\x\\c.wav")),
        ("id", ("u0", "u1", "u2")),
        ("name", ("'u0'", "'u1'", "'u2'")),
        ("name", ("u0.wav", "u1.wav", "u2.wav")),
        ("file", ("/data/a.wav", "/data/b.wav", "/data/c.wav")),
    ],
)
def test_names_are_ids_or_paths(tmp_path, column, names):
    order = [2, 0, 1]
    path = write(tmp_path, f"{column},x", *(f"{names[i]},{i}" for i in order))
    found = load_imported(path, "mine", table("a.wav", "b.wav", "c.wav"))
    assert first(found) == [[0], [1], [2]]
    assert "x.csv: rows put in the order of the table, by their names" in found.said


def test_paths_where_stems_repeat(tmp_path):
    rows = table("s1/a.wav", "s2/a.wav", "s1/b.wav")
    path = write(tmp_path, "file,x", "s2/a.wav,2", "s1/a.wav,1", "s1/b.wav,3", "s3/a.wav,9")
    found = load_imported(path, "mine", rows)
    assert first(found) == [[1], [2], [3]]
    assert "x.csv: rows of no utterance here: 1 of 4" in found.said
    with pytest.raises(
        DataError, match=r"one row for several utterances|2 rows of one name|may be"
    ):
        load_imported(write(tmp_path, "file,x", "a,1", "a,2", "b,3"), "mine", rows)


def test_names_that_hold_dots(tmp_path):
    rows = [Utterance("Ses01.1"), Utterance("Ses01.2")]
    found = load_imported(write(tmp_path, "id,x", "Ses01.2,2", "Ses01.1,1"), "mine", rows)
    assert first(found) == [[1], [2]]


def test_a_row_that_is_not_there_is_missing_and_one_too_many_is_said(tmp_path):
    path = write(tmp_path, "file,x", "d,4", "c,3", "a,1")
    found = load_imported(path, "mine", table("a.wav", "b.wav", "c.wav"))
    assert first(found) == [[1], None, [3]]
    assert list(found.missing) == [1]
    assert any("rows of no utterance here: 1 of 3" in line for line in found.said)


def test_parts_of_a_recording_are_found_by_their_times(tmp_path):
    rows = [
        Utterance("u0", file=Path("a.wav"), start=0.0, end=1.5),
        Utterance("u1", file=Path("a.wav"), start=1.5, end=2.25),
        Utterance("u2", file=Path("b.wav"), start=0.5),
        Utterance("u3", file=Path("c.wav")),
    ]
    lines = (
        "a.wav,0 days 00:00:01.500000,0 days 00:00:02.250000,2",
        "a.wav,0 days 00:00:00,0 days 00:00:01.500000,1",
        "a.wav,0 days 00:00:02.250000,0 days 00:00:03,9",
        "b.wav,0 days 00:00:00.500000,0 days 00:00:07,3",
        "c.wav,0 days 00:00:00,0 days 00:00:07,4",
    )
    found = load_imported(write(tmp_path, "file,start,end,x", *lines), "mine", rows)
    assert (found.kind, first(found)) == ("hsf", [[1], [2], [3], [4]])
    gone = load_imported(write(tmp_path, "file,start,end,x", *lines[1:]), "mine", rows)
    assert first(gone) == [[1], None, [3], [4]]
    with pytest.raises(DataError, match="expected columns start and end, one row for each part"):
        load_imported(write(tmp_path, "file,x", "a,1", "a,2", "b,3", "c,4"), "mine", rows)
    ids = write(tmp_path, "id,x", "u1,2", "u0,1", "u3,4", "u2,3")
    assert first(load_imported(ids, "mine", rows)) == [[1], [2], [3], [4]]


def test_other_parts_of_a_recording_are_no_frames(tmp_path):
    """The table has one part of it, the file three."""
    rows = [Utterance("u0", file=Path("a.wav"), start=1.0, end=2.0)]
    lines = ("a,0,1,7", "a,1,2,8", "a,2,3,9")
    found = load_imported(write(tmp_path, "file,start,end,x", *lines), "mine", rows)
    assert (found.kind, first(found)) == ("hsf", [[8]])


def test_functionals_given_twice_are_no_frames(tmp_path):
    rows = table("a.wav", "b.wav", "c.wav", "d.wav")
    lines = ("a,1", "b,2", "b,3", "c,4", "d,5")
    with pytest.raises(DataError, match="2 rows of one name, the second of them row 3, found 'b'"):
        load_imported(write(tmp_path, "file,x", *lines), "mine", rows)
    timed = ("a,0,1", "b,0,2", "b,0,3", "c,0,4", "d,0,5")
    with pytest.raises(DataError, match="2 rows of one name"):
        load_imported(write(tmp_path, "file,start,x", *timed), "mine", rows)


def test_rows_go_by_order_in_the_original_table(tmp_path):
    """Row 1 was left out; features for all rows, and for those that are left, find theirs."""
    rows = [Utterance("u0"), Utterance("labels.csv:3"), Utterance("u2")]
    keep = [True, False, True]
    found = load_imported(write(tmp_path, "x,y", "1,.5", "2,.5", "3,0"), "m", rows, keep=keep)
    assert first(found) == [[1], None, [3]]
    assert "a row for each row of the original table, 1 of them left out" in found.said[-1]
    found = load_imported(write(tmp_path, "x,y", "1,.5", "3,0"), "mine", rows, keep=keep)
    assert first(found) == [[1], None, [3]]
    np.save(tmp_path / "x.npy", np.float64([[[1], [0]], [[2], [2]], [[3], [3]]]))
    found = load_imported(tmp_path / "x.npy", "mine", rows, keep=keep)
    assert first(found) == [[1], None, [3, 3]]
    message = (
        "found '4'; expected 3, one for each row of the original table in its order, or 2, one"
    )
    with pytest.raises(DataError, match=message):
        load_imported(write(tmp_path, "x", "1", "2", "3", "4"), "mine", rows, keep=keep)


@pytest.mark.parametrize("numbers", [(0, 2, 3), (1, 3, 4), (0, 1, 2), (1, 2, 3)])
def test_numbers_of_rows_are_those_of_the_rows_that_are_left(tmp_path, numbers):
    rows, keep = table("a", "b", "c", "d"), [True, False, True, True]
    path = write(tmp_path, "index,x", *(f"{n},{i}.5" for i, n in enumerate(numbers)))
    assert first(load_imported(path, "mine", rows, keep=keep)) == [[0.5], None, [1.5], [2.5]]


@pytest.mark.parametrize("numbers", [(0, 1, 3), (7, 8, 9), (0, 2, 2), (3, 2, 0)])
def test_numbers_of_other_rows_are_refused(tmp_path, numbers):
    rows, keep = table("a", "b", "c", "d"), [True, False, True, True]
    for column in ("", "index", "Unnamed: 0"):
        path = write(tmp_path, f"{column},x", *(f"{n},{i}.5" for i, n in enumerate(numbers)))
        with pytest.raises(DataError, match="does not number the rows of the table one after"):
            load_imported(path, "mine", rows, keep=keep)


def test_a_count_that_is_nearly_the_ids_is_a_count(tmp_path):
    """Rows counted from 0 are no ids counted from 1, though all but one of them are the same."""
    rows = [Utterance(str(i + 1)) for i in range(5)]
    path = write(tmp_path, "id,x", *(f"{i},{i + 1}" for i in range(5)))
    found = load_imported(path, "mine", rows)
    assert first(found) == [[1], [2], [3], [4], [5]]
    assert "x.csv: id counts the rows, and is left out" in found.said
    same = write(tmp_path, "id,x", *(f"{i + 1},{i + 1}" for i in reversed(range(5))))
    assert first(load_imported(same, "mine", rows)) == [[1], [2], [3], [4], [5]]
