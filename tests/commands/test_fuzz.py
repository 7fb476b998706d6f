"""Tables, recordings and features with their bytes or columns damaged: the right rows or an error.

A row that is read stands in the file as it is read, and is of the recording that it names; what
cannot be used is a `DserError`, which ends a command with the code 2. `DSER_FUZZ` is how many of
each kind are tried; `DSER_FUZZ_SEED` is where their seeds begin.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import soundfile

from dser_jax.corpora.table import load_table
from dser_jax.corpora.utterances import Utterance
from dser_jax.features.audio import RATE, check_file, hear
from dser_jax.features.imported.loading import load_imported
from dser_jax.predict.recordings import find
from dser_jax.system.errors import DserError

T = TypeVar("T")
EACH = int(os.environ.get("DSER_FUZZ", "100"))
FIRST = int(os.environ.get("DSER_FUZZ_SEED", "0"))
ROWS = 10
LABELS = [[1 + i % 4, 1.25 + i / 4, 5 - i / 4] for i in range(ROWS)]
"""Of each row others, so that it is known again by what is in it."""
HEADER = ["file", "transcript", "speaker", "valence", "arousal", "dominance"]
CELLS = [[f"r{i}.wav", f"word{i} lamp{i}", f"s{i % 3}", *map(str, LABELS[i])] for i in range(ROWS)]
TABLE = [
    Utterance(f"r{i}", file=Path(f"/recordings/r{i}.wav"), valence=v, arousal=a, dominance=d)
    for i, (v, a, d) in enumerate(LABELS)
]
FEATURES = np.random.default_rng(0).normal(0, 3, (ROWS, 3)).round(3)


def bytes_damaged(data: bytes, rng: random.Random, first: int = 0) -> bytes:
    """Cuts, doubles, swaps, turns, drops or replaces a few bytes."""
    for _ in range(rng.randint(1, 3)):
        if len(data) <= first:
            break
        at, width = rng.randrange(first, len(data)), rng.choice((1, 2, 4, 16, 200))
        part, rest = data[at : at + width], data[at + width :]
        before = data[:at]
        data = (
            before,
            before + rest,
            before + part + part + rest,
            before + part[::-1] + rest,
            rest + before + part,
            before + rng.randbytes(len(part)) + rest,
            before + b"\0" * len(part) + rest,
            data + part,
        )[rng.randrange(8)]
    return data


def columns_damaged(cells: list[list[str]], rng: random.Random) -> list[list[str]]:
    """Renames, moves, doubles, empties or drops a column, or some of its cells."""
    cells = [list(row) for row in cells]
    column = rng.randrange(len(cells[0]))
    how = rng.randrange(7)
    if how == 0:
        cells[0][column] = rng.choice(["", "x", cells[0][column - 1], "Valence", "id", "\ufeff"])
    elif how == 1:
        order = rng.sample(range(len(cells[0])), len(cells[0]))
        cells = [[row[place] for place in order] for row in cells]
    elif how == 2:
        cells = [[*row, row[column]] for row in cells]
    elif how == 3:
        cells = [cells[0], *([*row[:column], "", *row[column + 1 :]] for row in cells[1:])]
    elif how == 4:
        cells = [[*row[:column], *row[column + 1 :]] for row in cells]
    elif how == 5:  # Rows change places: the same rows in another order.
        cells[1:] = rng.sample(cells[1:], len(cells) - 1)
    else:
        row = rng.randrange(1, len(cells))
        cells[row][column] = rng.choice(["", "nan", "1e999", "-1", "é" * 300, '"', "=1+1", "1,5"])
    return cells


def damaged(cells: list[list[str]], rng: random.Random) -> tuple[bytes, bool]:
    """Writes a damaged table; tells whether only its columns and rows are, not its bytes."""
    if columns := rng.random() < 0.5:
        cells = columns_damaged(cells, rng)
    mark = rng.choice(",;\t")
    text = "\n".join(mark.join(row) for row in cells) + "\n"
    data = text.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16")))
    return (data, True) if columns else (bytes_damaged(data, rng), False)


def refused(read: Callable[..., T], *given: Any, **named: Any) -> T | None:
    """Returns what is read; None where it is refused in words."""
    try:
        return read(*given, **named)
    except DserError:
        return None


def seeds(kind: int) -> range:
    return range(FIRST + kind * 10**6, FIRST + kind * 10**6 + EACH)


def test_tables(tmp_path):
    read = 0
    path = tmp_path / "labels.csv"
    for seed in seeds(0):
        data, by_column = damaged([HEADER, *CELLS], random.Random(seed))
        path.write_bytes(data)
        corpus = refused(load_table, path, scale=(1, 5))
        found = refused(find, [path])
        if found is not None:
            assert len(found.pieces) <= data.count(b"\n") + data.count(b"\r"), seed
            for piece in found.pieces:
                refused(check_file, piece.file)
        if corpus is None:
            continue
        read += 1
        if not by_column:
            continue
        assert len(corpus.utterances) == ROWS, seed
        for utterance in corpus.utterances:
            # Whose row it is, by any of what is in it; and then all the rest is of that row.
            (row,) = {
                i
                for i, cells in enumerate(CELLS)
                if (utterance.file is not None and utterance.file.name == cells[0])
                or utterance.transcript == cells[1]
                or utterance.id == cells[0].removesuffix(".wav")
                or [utterance.arousal, utterance.dominance] == LABELS[i][1:]
            }
            for attr, value in zip(HEADER[3:], LABELS[row], strict=True):
                label = getattr(utterance, attr)
                assert np.isnan(label) or label == value or by_column_cell(data, label), seed
    assert EACH / 10 < read < EACH


def by_column_cell(data: bytes, label: float) -> bool:
    """Tells whether a label is one that the damage wrote into a cell."""
    return label == 1.5 and b"1,5" in data.replace(b"\0", b"")


SOUND = 0.3 * np.sin(np.arange(3000) / 9) + np.random.default_rng(0).normal(0, 0.02, 3000)
KINDS = (
    *(("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAV", "GSM610"), ("WAVEX", "PCM_24")),
    *(("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")),
    *(("AU", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("CAF", "PCM_16")),
    ("NIST", "PCM_16"),
)


def test_recordings(tmp_path):
    wholes = []
    for format, subtype in KINDS:
        soundfile.write(stream := io.BytesIO(), SOUND, RATE, subtype, format=format)
        wholes.append(stream.getvalue())
    path, read = tmp_path / "r.wav", 0
    for seed in seeds(1):
        rng = random.Random(seed)
        whole = wholes[seed % len(wholes)]
        path.write_bytes(data := bytes_damaged(whole, rng))
        heard = refused(hear, path, convert=rng.random() < 0.3)
        if heard is None:
            continue
        read += 1
        assert np.isfinite(heard.signal).all(), seed
        assert heard.signal.dtype == np.float32, seed
        assert len(heard.signal) > 0, seed
        if data == whole:
            assert len(heard.signal) >= len(SOUND), seed
    assert EACH / 20 < read < EACH


def test_features(tmp_path):
    read = 0
    header = ["file", "loud", "pitch", "flux"]
    cells = [[f"r{i}.wav", *map(str, row)] for i, row in enumerate(FEATURES.tolist())]
    np.save(stream := io.BytesIO(), FEATURES.astype(np.float32))
    for seed in seeds(2):
        rng = random.Random(seed)
        if array := rng.random() < 0.4:
            path, by_column = tmp_path / "x.npy", False
            path.write_bytes(bytes_damaged(stream.getvalue(), rng))
        else:
            path = tmp_path / "x.csv"
            data, by_column = damaged([header, *cells], rng)
            path.write_bytes(data)
        found = refused(load_imported, path, "mine", TABLE)
        if found is None:
            continue
        read += 1
        assert len(found.utterances) == ROWS, seed
        for i, part in enumerate(found.utterances):
            if part is None or i in found.problems or array or not by_column:
                continue
            # Each number stands in the row of its recording, or was put there by the damage.
            own = {*np.float32(FEATURES[i]).tolist(), np.float32(1.5), -1.0}
            assert all(value in own or np.isnan(value) for value in part.ravel().tolist()), seed
    assert EACH / 10 < read < EACH
