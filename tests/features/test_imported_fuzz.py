"""Files of features, damaged and rewritten: the right numbers or an error, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dser_jax.corpora.utterances import ATTRS, Utterance
from dser_jax.features.imported.labels import find_labels
from dser_jax.features.imported.loading import load_imported
from dser_jax.system.errors import DserError

COUNT, COLUMNS = 14, ("loud", "pitch", "flux")
TRUTH = np.random.default_rng(0).normal(0, 3, (COUNT, 3)).round(3)
LABELS = np.random.default_rng(1).uniform(1, 5, (COUNT, 3)).round(2)
TABLE = [
    Utterance(f"u{i}", file=Path(f"/data/s{i % 2}/r{i}.wav"), **dict(zip(ATTRS, row, strict=True)))
    for i, row in enumerate(LABELS.tolist())
]
Cells = list[list[str]]
Random = np.random.Generator


def named(random: Random) -> Cells:
    """A table that says whose its rows are, in one of the ways in which that is said."""
    ways = (
        ("file", lambda i: f"wav/s{i % 2}/r{i}.wav"),
        ("name", lambda i: f"'r{i}'"),
        ("id", lambda i: f"u{i}"),
        ("", lambda i: f"r{i}.flac"),
        ("path", lambda i: f"C:\\data\\s{i % 2}\\r{i}.wav"),
    )
    column, name = ways[random.integers(len(ways))]
    return [[column, *COLUMNS], *([name(i), *map(str, TRUTH[i])] for i in range(COUNT))]


def counted(random: Random) -> Cells:
    """A table that goes by order, and numbers its rows as pandas does."""
    column = ("", "index", "Unnamed: 0", "id")[random.integers(4)]
    first = int(random.integers(2))
    return [[column, *COLUMNS], *([str(i + first), *map(str, TRUTH[i])] for i in range(COUNT))]


def one_row(cells: Cells, random: Random) -> int:
    return int(random.integers(1, len(cells)))


def shuffle(cells: Cells, random: Random) -> None:
    cells[1:] = [cells[1:][i] for i in random.permutation(len(cells) - 1)]


def repeat(cells: Cells, random: Random) -> None:
    row = one_row(cells, random)
    cells.insert(row, cells[row])


def drop(cells: Cells, random: Random) -> None:
    del cells[one_row(cells, random)]


def behead(cells: Cells, random: Random) -> None:
    del cells[0]


def number(cells: Cells, random: Random) -> None:
    for i, row in enumerate(cells):
        row.insert(0, str(i - 1) if i else "Unnamed: 0.1")


def tear(cells: Cells, random: Random) -> None:
    row = cells[one_row(cells, random)]
    del row[max(1, random.integers(len(row))) :]


def widen(cells: Cells, random: Random) -> None:
    cells[one_row(cells, random)].append("0.5")


def quote(cells: Cells, random: Random) -> None:
    row = cells[one_row(cells, random)]
    at = int(random.integers(len(row)))
    row[at] = f'"{row[at]}'


def empty(cells: Cells, random: Random) -> None:
    row = cells[one_row(cells, random)]
    row[-1] = ("", "nan", "NA", "inf", "1e99")[random.integers(5)]


def word(cells: Cells, random: Random) -> None:
    cells[one_row(cells, random)][-1] = ("high", "1_0", "0x1", "1.5.2", "١", "--1")[
        random.integers(6)
    ]


def turn(cells: Cells, random: Random) -> None:
    """Puts the columns of numbers in another order, with their names."""
    for row in cells:
        row[-3:] = row[-1:-4:-1]


def add_label(cells: Cells, random: Random) -> None:
    attr = int(random.integers(3))
    column = LABELS[:, attr] if random.integers(2) else (3 - LABELS[:, attr]) / 2
    for i, row in enumerate(cells):
        row.append(repr(float(column[(i - 1) % COUNT])) if i else "score")


def add_spaces(cells: Cells, random: Random) -> None:
    for row in cells:
        row[-1] = f" {row[-1]}\u00a0"


CHANGES: tuple[Callable[[Cells, Random], None], ...] = (
    *(shuffle, repeat, drop, behead, number, tear, widen, quote, empty, word, turn, add_label),
    add_spaces,
)


def written(cells: Cells, random: Random) -> bytes:
    """Writes a table with one of several separators, ends of lines and encodings."""
    mark = ",;\t|"[random.integers(4)]
    if mark == ";" and random.integers(2):
        cells = [[cell if "/" in cell else cell.replace(".", ",") for cell in r] for r in cells]
    end = ("\n", "\r\n", "\n\n")[random.integers(3)]
    text = end.join(mark.join(row) for row in cells) + end
    data = text.encode(("utf-8", "utf-8-sig", "utf-16")[random.integers(3)])
    damage = random.integers(8)
    if damage == 0:
        return data[: int(len(data) * random.uniform(0.3, 0.9))]
    if damage == 1:
        return data + b"\xff\xfe\xff"
    return data


def load(path: Path, *, header: bool = True):
    """Loads features as `prepare` does; None where they are refused."""
    try:
        found = load_imported(path, "mine", TABLE, header=header)
        return None if find_labels(found, TABLE) else found
    except DserError:
        return None


def hold(found, truth: np.ndarray, columns: tuple[str, ...] = COLUMNS) -> int:
    """Makes sure that nothing but the truth was read; returns of how many utterances."""
    assert sorted(found.columns) == sorted(columns)
    places = [columns.index(column) for column in found.columns]
    good = 0
    for i, part in enumerate(found.utterances):
        if part is not None and i not in found.problems:
            np.testing.assert_array_equal(
                part, np.float32(truth[i][..., places]).reshape(part.shape)
            )
            good += 1
    return good


@pytest.mark.parametrize("make", [named, counted])
def test_tables(tmp_path, make):
    """Sixty of each, with up to three changes: some are read, and some refused."""
    read = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        cells = make(random)
        changes = [CHANGES[random.integers(len(CHANGES))] for _ in range(seed % 4)]
        for change in sorted(changes, key=lambda each: each is not add_label):
            change(cells, random)  # Labels first, while rows are where they belong.
        path = tmp_path / "x.csv"
        path.write_bytes(written(cells, random))
        found = load(path)
        read.append(0 if found is None else hold(found, TRUTH))
    assert read.count(0) > 10
    assert read.count(COUNT) > 10


def test_frames(tmp_path):
    """Recordings in any order, by name; rows that are doubled or swapped are refused."""
    random = np.random.default_rng(0)
    frames = random.normal(size=(COUNT, 4, 3)).round(3)
    read = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        order = random.permutation(COUNT) if seed % 2 else np.arange(COUNT)
        rows = [(f"r{i}", t) for i in order for t in range(4)]
        cells = [["name", "frameTime", *COLUMNS]]
        cells += [[n, f"{t / 100}", *map(str, frames[int(n[1:]), t])] for n, t in rows]
        if seed % 5 == 1:
            several = [change for change in CHANGES if change is not add_label]
            several[random.integers(len(several))](cells, random)
        elif seed % 5 == 2:
            first, second = random.permutation(len(cells) - 1)[:2] + 1
            cells[first], cells[second] = cells[second], cells[first]
        elif seed % 5 == 3:
            repeat(cells, random)
        path = tmp_path / "x.csv"
        path.write_bytes(written(cells, random))
        found = load(path)
        if found is None:
            read.append(0)
            continue
        for i, part in enumerate(found.utterances):
            if part is not None and i not in found.problems:
                # A row that was dropped cannot be missed; all that are there are in order.
                places = [COLUMNS.index(column) for column in found.columns]
                whole = np.float32(frames[i][:, places]).tolist()
                assert [row for row in whole if row in part.tolist()] == part.tolist()
        read.append(COUNT)
    assert read.count(0) > 10
    assert read.count(COUNT) > 10


def test_arrays(tmp_path):
    """Cut, prolonged, with a header that says other sizes, of other types, of other numbers."""
    path = tmp_path / "x.npy"
    names = ("mine_0", "mine_1", "mine_2")
    read = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        kinds = ("<f8", "<f4", ">f8", "<f2", "<c16", "<U8", "O")
        kind = kinds[0] if seed % 3 else kinds[random.integers(len(kinds))]
        np.save(path, np.asfortranarray(TRUTH.astype(kind)) if seed % 2 else TRUTH.astype(kind))
        data = bytearray(path.read_bytes())
        change = seed % 6
        if change == 1:
            del data[random.integers(len(data)) :]
        elif change == 2:
            data += b"\0" * int(random.integers(1, 9))
        elif change == 3:
            at = data.index(b"(14, 3)") + random.choice([1, 2, 5])
            data[at] = random.choice(list(b"0123456789,( "))
        elif change == 4:
            data[random.integers(6, 60)] = random.integers(256)
        path.write_bytes(data)
        found = load(path)
        if found is not None and change != 4 and kind not in ("<f2",):
            read.append(hold(found, TRUTH, names))
        else:
            read.append(0 if found is None else COUNT)
    assert read.count(0) > 15
    assert read.count(COUNT) > 15
