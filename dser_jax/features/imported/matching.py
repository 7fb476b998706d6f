"""Which rows of a file of features belong to which utterance: by name, or else by order."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from dser_jax.corpora import Utterance, read_number
from dser_jax.features.imported.columns import count_up
from dser_jax.features.imported.reading import FeatureTable
from dser_jax.system import DataError

Key = tuple[str, ...]
Kind = Literal["hsf", "lld"]

CLOSE = 0.0006
"""Times that differ by no more seconds are the same: they are written with three decimals."""

_AUDIO = frozenset(
    (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au", ".sph")
)


class Found(NamedTuple):
    """Rows of a file, by utterance.

    Attributes:
      kind: "hsf" for one row an utterance, "lld" for several.
      rows: Of each utterance its rows; None where there is none.
      by_name: Whether names told.
    """

    kind: Kind
    rows: list[range | None]
    by_name: bool


def match(
    path: Path,
    table: FeatureTable,
    utterances: Sequence[Utterance],
    keep: Sequence[bool],
    said: list[str],
) -> Found:
    """Finds the rows of each utterance.

    Raises:
      DataError: Names are not the table's, or several rows have one; or without names another
        number of rows than the table has.
    """
    kept = [i for i, flag in enumerate(keep) if flag]
    known = [_Known(column, names, utterances, kept) for column, names in table.names.items()]
    best = max(known, key=lambda each: each.count, default=None)
    if best is not None and best.count and not (best.counts and best.count < len(kept)):
        return _by_name(path, table, best, utterances, keep, said)
    for each in known:
        if each.counts:
            said.append(f"{path.name}: {each.column} counts the rows, and is left out")
        elif len(set(each.names)) > 1:
            raise DataError(
                f"row 1 has a name that is not that of the table's row, nor has any other by its "
                f"{each.column}",
                file=path,
                value=each.names[0],
                expected=f"names of the table, as {_example(utterances, kept)!r}; or one name for "
                "all, to go by order",
            )
    count = len(table.values)
    if count not in (len(keep), len(kept)) and table.starts:
        groups = _restarts(table.starts)
        places = match_by_order(path, len(groups), keep, "recordings", said)
        return Found("lld", [None if at is None else groups[at] for at in places], False)
    places = match_by_order(path, count, keep, "rows", said)
    return Found("hsf", [None if at is None else range(at, at + 1) for at in places], False)


def match_by_order(
    path: Path, count: int, keep: Sequence[bool], what: str, said: list[str]
) -> list[int | None]:
    """Returns the row of each utterance, where there is one for each row of the table, or kept one.

    Raises:
      DataError: There is another number of them.
    """
    kept = sum(keep)
    if count == len(keep):
        if kept < count:
            said.append(
                f"{path.name}: a row for each row of the original table, "
                f"{count - kept} of them left out"
            )
        return [i if flag else None for i, flag in enumerate(keep)]
    if count == kept:
        numbers = iter(range(count))
        return [next(numbers) if flag else None for flag in keep]
    expected = f"{len(keep)}, one for each utterance, in the table's order"
    if kept < len(keep):
        expected = (
            f"{len(keep)}, one for each row of the original table in its order, or {kept}, one for "
            "each utterance that is left"
        )
    raise DataError(
        f"not the {what} of this table",
        file=path,
        value=f"{count}",
        expected=f"{expected}; or names, in a column file or id",
    )


def _example(utterances: Sequence[Utterance], kept: Sequence[int]) -> str:
    return utterances[kept[0]].id if kept else ""


class _Known:
    """A column of names, held against a table.

    Attributes:
      column, names: What it is called, and its cells.
      counts: Whether it is whole numbers that go up.
      keys: What each row is found by; of the names as much as matches most utterances.
      wanted: By the same, the utterances that are kept.
      count: How many of them are found.
      by_file: Whether by the names of recordings, of which several may be parts.
    """

    def __init__(
        self, column: str, names: list[str], utterances: Sequence[Utterance], kept: Sequence[int]
    ) -> None:
        self.column, self.names = column, names
        each = {name: read_number(name) for name in set(names)}
        self.counts = None not in each.values() and count_up([each[name] or 0.0 for name in names])
        self.count, self.by_file = -1, False
        self.keys: list[Key] = []
        self.wanted: dict[Key, list[int]] = {}
        paths = {i: _path(file) for i in kept if (file := utterances[i].file) is not None}
        parts = {name: _path(PurePosixPath(name.replace("\\", "/"))) for name in set(names)}
        deepest = max(map(len, paths.values()), default=0)
        ids = {i: (utterances[i].id,) for i in kept}
        # An id, whole or as the name of a file; else the path from its end, the longest first.
        self._try({name: (name,) for name in parts}, ids, False)
        self._try({name: key[-1:] for name, key in parts.items()}, ids, False)
        for depth in range(deepest, 0, -1):
            shorter = {name: key[-depth:] for name, key in parts.items()}
            self._try(shorter, {i: key[-depth:] for i, key in paths.items()}, True)

    def _try(self, keys: Mapping[str, Key], wanted: Mapping[int, Key], by_file: bool) -> None:
        """Takes another way to find rows, if it finds more."""
        there = set(keys.values())
        count = sum(key in there for key in wanted.values())
        if count > self.count:
            self.count, self.by_file = count, by_file
            self.keys = [keys[name] for name in self.names]
            self.wanted = {}
            for i, key in wanted.items():
                self.wanted.setdefault(key, []).append(i)


def _path(file: Path | PurePosixPath) -> Key:
    """Parts a path, without the end that says which kind of recording it is."""
    known = isinstance(file, Path) or file.suffix.lower() in _AUDIO
    return (file.with_suffix("") if known and file.suffix else file).parts


def _by_name(
    path: Path,
    table: FeatureTable,
    known: _Known,
    utterances: Sequence[Utterance],
    keep: Sequence[bool],
    said: list[str],
) -> Found:
    rows: dict[Key, list[int]] = {}
    for row, key in enumerate(known.keys):
        rows.setdefault(key, []).append(row)
    for key in known.wanted.keys() & rows.keys():
        names = list(dict.fromkeys(known.names[row] for row in rows[key]))
        if len(names) > 1:
            raise DataError(
                f"several names that may be utterance {utterances[known.wanted[key][0]].id}",
                file=path,
                value=" and ".join(names[:2]),
                expected="paths as in the table, or its ids",
            )
    parts = [i for owners in known.wanted.values() for i in owners if _is_part(utterances[i])]
    if known.by_file and (parts or len(known.wanted) < sum(map(len, known.wanted.values()))):
        found = _parts(path, table, known, rows, utterances)
    else:
        found = {owners[0]: rows[key] for key, owners in known.wanted.items() if key in rows}
    kind: Kind = "lld" if any(len(each) > 1 for each in found.values()) else "hsf"
    if kind == "lld":
        _must_be_frames(path, table, known, found)
    taken = sum(map(len, found.values()))
    if spare := len(known.keys) - taken:
        said.append(f"{path.name}: rows of no utterance here: {spare} of {len(known.keys)}")
    firsts = [found[i][0] for i in sorted(found)]
    if firsts != sorted(firsts):
        said.append(f"{path.name}: rows put in the order of the table, by their names")
    ranges = [
        range(found[i][0], found[i][-1] + 1) if i in found else None for i in range(len(keep))
    ]
    return Found(kind, ranges, True)


def _is_part(utt: Utterance) -> bool:
    return bool(utt.start) or utt.end is not None


def _must_be_frames(
    path: Path, table: FeatureTable, known: _Known, found: Mapping[int, Sequence[int]]
) -> None:
    """Makes sure that rows of one name follow one another, and are no functionals given twice."""
    single = sum(len(rows) == 1 for rows in found.values())
    for rows in found.values():
        if len(rows) == 1:
            continue
        apart = rows[-1] - rows[0] >= len(rows)
        times = [table.starts[row] for row in rows] if table.starts else []
        back = any(not before < after for before, after in itertools.pairwise(times))
        if apart or back or (not times and 2 * single >= len(found)):
            raise DataError(
                f"{len(rows)} rows of one name, the second of them row {rows[1] + 1}",
                file=path,
                value=known.names[rows[0]],
                expected="one row; or frames that follow one another, of later and later times",
            )


def _parts(
    path: Path,
    table: FeatureTable,
    known: _Known,
    rows: Mapping[Key, Sequence[int]],
    utterances: Sequence[Utterance],
) -> dict[int, list[int]]:
    """Finds the rows of utterances that are parts of recordings, by their times."""
    found: dict[int, list[int]] = {}
    for key, owners in known.wanted.items():
        for i in owners:
            utt = utterances[i]
            own = [row for row in rows.get(key, ()) if _same_times(table, row, utt)]
            if len(own) > 1 or (own and not (table.starts or table.ends)):
                raise DataError(
                    f"{len(own)} rows that may be utterance {utt.id}, a part of a recording",
                    file=path,
                    value=known.names[own[0]],
                    expected="columns start and end, one row for each part; or names that are ids",
                )
            if own:
                found[i] = own
    claimed = Counter(row for own in found.values() for row in own)
    for i, own in found.items():
        if claimed[own[0]] > 1:
            raise DataError(
                f"one row for several utterances, {utterances[i].id} among them",
                file=path,
                value=known.names[own[0]],
                expected="columns start and end, one row for each part; or names that are ids",
            )
    return found


def _same_times(table: FeatureTable, row: int, utt: Utterance) -> bool:
    for times, time in ((table.starts, utt.start or 0.0), (table.ends, utt.end)):
        # An end that is not known is that of the recording.
        if times and time is not None and abs(times[row] - time) > CLOSE:
            return False
    return True


def _restarts(times: Sequence[float]) -> list[range]:
    """Parts rows into recordings: where the time starts again."""
    starts = [0, *(i for i in range(1, len(times)) if not times[i - 1] < times[i])]
    return [range(a, b) for a, b in itertools.pairwise([*starts, len(times)])] if times else []
