"""Finished runs on disk: a folder that survives any death of its writer (see docs/design.md).

A run is committed in two steps: its arrays, as a file that appears whole or not at all, then its
row, one line appended to `rows.jsonl`. A run is finished if, and only if, its row is there. Hence a
kill between the two steps costs that run and nothing else, and no run is in the table twice.

Whoever opens a journal puts a copy of `rows.jsonl` in its place, and holds the file that it writes
to open. A former holder that was taken for dead, and is not, thus writes to a file that is no
longer in the folder: its rows cannot reach the table, whatever it does and whenever it wakes up.
After each row it looks whether the folder is still its own, so it learns that too; and where the
folder was, the row was there before anybody took over, and is in the copy.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from dser_jax.journal.files import (
    Arrays,
    Row,
    array_file,
    differences,
    load_arrays,
    parse_rows,
    read_bytes,
    read_manifest,
    same_arrays,
    save_arrays,
)
from dser_jax.journal.planned import check_plan, join_plans
from dser_jax.plan import plain
from dser_jax.system import (
    DataError,
    DserError,
    FolderLock,
    remove_stale,
    replacing,
    saying,
    write_text,
)

__all__ = ["SCHEMA", "Journal", "JournalView", "read_journal"]

SCHEMA = 1
"""The format of the folder; raised when an older reader would misread a newer folder."""


@dataclass(frozen=True)
class JournalView:
    """A journal as a reader sees it; it may still be growing.

    Attributes:
      folder: Where it lies.
      manifest: What it was made with and for.
      rows: The finished runs, in the order in which they were planned; others come after them, in
        the order in which they finished.
      notices: What was amiss, for the user to read.
    """

    folder: Path
    manifest: dict[str, Any]
    rows: tuple[Row, ...]
    notices: tuple[str, ...] = ()

    def arrays(self, run: str) -> Arrays:
        """Loads the arrays of a run; DataError if the file is missing or damaged."""
        return load_arrays(array_file(self.folder / "arrays", run))

    def truth(self, key: str) -> Arrays:
        """Loads the labels and ids that runs with this key predict; DataError as above."""
        return load_arrays(array_file(self.folder / "truth", key))


def read_journal(folder: str | os.PathLike) -> JournalView:
    """Reads a journal without changing or locking it, also while a sweep writes to it.

    Raises:
      DserError: if there is no journal, or one of another schema.
      DataError: if a line before the last is damaged; names the file and the line.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        raise DserError(
            f"{folder} holds no journal: {folder / 'manifest.json'} is missing; expected what "
            "`dser sweep --out` named"
        )
    if "utterances_sha256" in manifest:
        raise DserError(
            f"{folder} is a prepared data set; expected the journal of a sweep, which "
            "`dser sweep --out` named"
        )
    _check_schema(folder, manifest)
    path = folder / "rows.jsonl"
    rows, _, notices = parse_rows(path, read_bytes(path))
    return JournalView(folder, manifest, _as_planned(rows, manifest), tuple(notices))


class Journal:
    """A journal open for writing, by one process at a time. Use `Journal.open` and `with`.

    Attributes:
      folder: Where it lies.
      manifest: What it was made with and for, as it is on disk.
      finished: The ids of the runs whose rows are on disk.
      notices: What was repaired, taken over or changed at opening, for the user to read.
    """

    def __init__(self, folder: Path, lock: FolderLock) -> None:
        """Made by `open`, which fills it."""
        self.folder, self._lock = folder, lock
        self.manifest: dict[str, Any] = {}
        self.notices: list[str] = [] if lock.notice is None else [lock.notice]
        self._rows: list[Row] = []
        self.finished: set[str] = set()
        self._end = 0
        self._file: int | None = None

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        manifest: Mapping[str, Any],
        *,
        must_match: Iterable[str] = ("data_fingerprint", "inputs"),
        extend: bool = False,
        retry: Callable[[str], bool] = lambda run: False,
    ) -> Journal:
        """Starts a journal, or takes up one that was interrupted.

        Args:
          folder: Made if need be.
          manifest: What the journal is made with and for; plain values. `schema` is filled in.
            `planned` (a number of runs, or their ids) lets a report say how many are still to come.
            With ids, a call that plans other runs is refused; `plan` (name of a row -> {"runs":
            number, "seeds": list, "settings": {name: value}}) lets the message say how they differ.
            Of a part of a sweep, `part` is [number, of how many], `planned_whole` the ids of the
            whole, which `plan` describes.
          must_match: Entries of the manifest that must be what they were when the journal was
            started; of dictionaries, what both have. Any other may differ: the older value goes to
            the list `resumed` of the manifest, with the number of runs that were made under it, and
            a notice says so.
          extend: Whether runs may be added to those that were planned. What was planned stays so,
            and rows keep their settings: others under the name of a row are refused nevertheless.
          retry: Tells of a failed run, by its id, whether to drop its row: it is then unfinished.

        Raises:
          DserError: if another process has the folder, if it cannot be written, or if the schema,
            an entry of `must_match` or the plan differs; the message shows the difference.
          DataError: if a line of `rows.jsonl` before the last is damaged.
        """
        folder = Path(folder)
        with saying(folder):
            for part in ("arrays", "truth", "params"):
                (folder / part).mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder)
        journal = cls(folder, lock)
        try:
            journal._take_up(plain(manifest), tuple(must_match), extend, retry)
        except BaseException:
            journal.close()
            raise
        return journal

    def _take_up(
        self,
        manifest: dict[str, Any],
        must_match: tuple[str, ...],
        extend: bool,
        retry: Callable[[str], bool],
    ) -> None:
        for part in (self.folder, self.folder / "arrays", self.folder / "truth"):
            for path in remove_stale(part):
                self.notices.append(f"{path}: removed, half-written by an interrupted run")
        manifest = {**manifest, "schema": SCHEMA}
        for key in ("planned", "planned_whole"):
            if isinstance(manifest.get(key), list):
                manifest[key] = list(dict.fromkeys(manifest[key]))
        older = read_manifest(self.folder)
        rows = self.folder / "rows.jsonl"
        if older is None:
            if rows.exists():
                raise DserError(f"{self.folder} holds rows but no manifest.json; move it away")
            self._write_manifest({**manifest, "created": _now()})
            return
        _check_schema(self.folder, older)
        _check_match(self.folder, older, manifest, must_match)
        for key in must_match:
            if isinstance(older.get(key), dict) and isinstance(manifest.get(key), dict):
                manifest[key] = older[key] | manifest[key]
        change = check_plan(self.folder, older, manifest, extend=extend)
        data = read_bytes(rows)
        self._rows, end, notices = parse_rows(rows, data)
        self.notices += notices
        kept = data[:end]
        again = {r["run"] for r in self._rows if r.get("status") == "failed" and retry(r["run"])}
        if again:
            self._rows = [row for row in self._rows if row["run"] not in again]
            kept = b"".join(map(_line, self._rows))
            runs = "1 run" if len(again) == 1 else f"{len(again)} runs"
            self.notices.append(f"dropped the rows of {runs} that failed")
        self._end = len(kept)
        self.finished = {row["run"] for row in self._rows}
        if rows.exists():
            with replacing(rows) as file:
                file.write(kept)
        if change:
            self.notices += [f"extended: {line}" for line in change.lines]
            note = {"at": _now(), "rows_before": len(self._rows), "added": len(change.added)}
            older = {**older, "extended": [*older.get("extended", []), note]}
            if change.gone:
                self.notices.append(
                    f"{len(change.gone)} of the runs that were planned before are not planned by "
                    "this call; they stay planned"
                )
        self._note_changes(older, manifest)

    def _note_changes(self, older: dict[str, Any], manifest: dict[str, Any]) -> None:
        """Brings the manifest up to date, keeping what it said before and until when."""
        plan = join_plans(older, manifest)
        changed = {
            key: older.get(key)
            for key in manifest
            if key not in plan and older.get(key) != manifest[key]
        }
        self.manifest = older
        newer = {**older, **manifest, **plan}
        if changed:
            note = {
                "at": _now(),
                "rows_before": len(self._rows),
                "was": changed,
                "now": {key: manifest[key] for key in changed},
            }
            for line in differences(note["was"], note["now"]):
                if not line.startswith("command:"):
                    self.notices.append(f"resumed with another {line}")
            newer["resumed"] = [*older.get("resumed", []), note]
        if newer != read_manifest(self.folder):
            self._write_manifest(newer)

    def _write_manifest(self, manifest: dict[str, Any]) -> None:
        text = json.dumps(manifest, indent=1, allow_nan=False, ensure_ascii=False)
        self.check()
        write_text(self.folder / "manifest.json", text + "\n")
        self.manifest = manifest

    def note(self, entries: Mapping[str, Any]) -> None:
        """Sets entries of the manifest, where they are not there already; plain values."""
        newer = {**self.manifest, **plain(entries)}
        if newer != self.manifest:
            self._write_manifest(newer)

    def check(self) -> None:
        """Makes sure that the folder is still this process's; cheap.

        Raises:
          DserError: if the journal is closed, or another process has taken it over.
        """
        if self._lock.closed:
            raise DserError(f"{self.folder}: this journal is closed")
        self._lock.check()

    def rows(self) -> list[Row]:
        """Returns the finished runs, in the order in which they finished."""
        return copy.deepcopy(self._rows)

    def arrays(self, run: str) -> Arrays:
        """Loads the arrays of a run; DataError if the file is missing or damaged."""
        return self.view().arrays(run)

    def view(self) -> JournalView:
        """Returns what a reader would see now."""
        rows = _as_planned(self.rows(), self.manifest)
        return JournalView(self.folder, self.manifest, rows, tuple(self.notices))

    def commit(self, row: Mapping[str, Any], arrays: Mapping[str, ArrayLike]) -> bool:
        """Writes a finished run: first its arrays, then its row, each flushed to the disk.

        Args:
          row: Plain values, with the id under "run"; NaN and infinity become null.
          arrays: Numbers or strings; NaN stays NaN.

        Returns:
          False if that run is in the journal already: then nothing is written.

        Raises:
          DserError: if the disk is full and the like. The run is then not finished, the journal is
            as it was, and may be written to again. Also if another process has taken the journal
            over: then the row is not in it, save if that process found it there.
        """
        self.check()
        written = plain(row)
        run = written["run"]
        if run in self.finished:
            return False
        line = _line(written)
        save_arrays(array_file(self.folder / "arrays", run), arrays)
        self._append(line)
        self._rows.append(written)
        self.finished.add(run)
        return True

    def _append(self, line: bytes) -> None:
        path = self.folder / "rows.jsonl"
        with saying(path):
            if self._file is None:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                try:
                    self.check()  # Only now it is known to be ours, and not that of a successor.
                except BaseException:
                    os.close(handle)
                    raise
                self._file = handle
            handle = self._file
            try:
                if os.fstat(handle).st_size != self._end:  # What an earlier failure left behind.
                    os.ftruncate(handle, self._end)
                written = os.write(handle, line)
                if written != len(line):
                    raise OSError(f"{written} of {len(line)} bytes written, the disk is full")
                os.fsync(handle)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, self._end)
                raise
        self._end += len(line)
        self.check()

    def write_truth(self, key: object, /, **arrays: ArrayLike) -> None:
        """Writes the ids and labels that runs whose row says `truth: key` predict, once.

        Raises:
          DserError: if other arrays have that key already, or it cannot name a file.
        """
        self.check()
        path = array_file(self.folder / "truth", key)
        if path.exists():
            with contextlib.suppress(DataError):  # A damaged file is written again.
                if not same_arrays(load_arrays(path), arrays):
                    raise DserError(f"{path} holds other labels or ids under the key {key!r}")
                return
        save_arrays(path, arrays)

    def close(self) -> None:
        """Lets go of the folder; harmless when done twice."""
        if self._file is not None:
            handle, self._file = self._file, None
            os.close(handle)
        self._lock.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _as_planned(rows: list[Row], manifest: Mapping[str, Any]) -> tuple[Row, ...]:
    """Orders rows as the manifest's `planned` lists their runs, where it lists them."""
    planned = manifest.get("planned")
    if not isinstance(planned, list):
        return tuple(rows)
    place = {run: number for number, run in enumerate(planned)}
    return tuple(sorted(rows, key=lambda row: place.get(row["run"], len(place))))


def _line(row: Row) -> bytes:
    """Returns a row as the file has it."""
    return json.dumps(row, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _check_schema(folder: Path, manifest: dict[str, Any]) -> None:
    found = manifest.get("schema")
    if found != SCHEMA:
        raise DataError(
            "the journal has another format, written by another version of dser_jax",
            file=folder / "manifest.json",
            value=found,
            expected=f"schema {SCHEMA}",
        )


def _check_match(
    folder: Path, older: dict[str, Any], newer: dict[str, Any], keys: tuple[str, ...]
) -> None:
    was = {key: older.get(key) for key in ("schema", *keys)}
    now = {key: newer.get(key) for key in ("schema", *keys)}
    for key in keys:
        one, other = was[key], now[key]
        if isinstance(one, dict) and isinstance(other, dict):
            was[key] = {name: one[name] for name in one.keys() & other.keys()}
            now[key] = {name: other[name] for name in one.keys() & other.keys()}
    lines = differences(was, now)
    if lines:
        raise DserError(
            f"{folder} was started with something else, and its runs would not compare:\n"
            + "\n".join(f"  {line}" for line in lines)
            + "\nChoose another folder, or bring back what it was started with"
        )
