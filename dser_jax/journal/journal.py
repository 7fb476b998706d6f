"""Finished runs on disk: a folder that survives any death of its writer (see docs/design.md).

A run is committed in two steps: its arrays, as a file that appears whole or not at all, then its
row, one line appended to `rows.jsonl`. A run is finished if, and only if, its row is there. Hence a
kill between the two steps costs that run and nothing else, and no run is in the table twice.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from dser_jax.journal.files import (
    Arrays,
    Row,
    array_file,
    check_weights,
    load_arrays,
    parse_rows,
    read_bytes,
    read_manifest,
    same_arrays,
    save_arrays,
)
from dser_jax.journal.planned import check_plan
from dser_jax.journal.reading import (
    SCHEMA,
    JournalView,
    as_planned,
    check_schema,
    missing_arrays,
    missing_weights,
    planned_runs,
    refuse_prepared,
)
from dser_jax.journal.resuming import check_match, join_manifests, now
from dser_jax.journal.row_file import RowFile
from dser_jax.plan import plain
from dser_jax.system import (
    DataError,
    DserError,
    FolderLock,
    plural,
    remove_stale,
    saying,
    to_sealed,
    write_sealed,
)


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
        self._row_file = RowFile(folder / "rows.jsonl", lock)

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        manifest: Mapping[str, Any],
        *,
        must_match: Iterable[str] = ("data_fingerprint", "inputs"),
        extend: bool = False,
        retry: Callable[[str], bool] = lambda run: False,
        mend: bool = False,
    ) -> Journal:
        """Starts a journal, or takes up one that was interrupted.

        Args:
          folder: Made if need be.
          manifest: What the journal is made with and for; plain values. `schema` is filled in.
            `planned` (a number of runs, or their ids) lets a report say how many are still to come.
            With ids, a call that plans other runs is refused; `plan` (name of a row -> {"runs":
            number, "seeds": list, "settings": {name: value}}) lets the message say how they differ.
            `baselines` are the ids of those that were planned beside them.
            Of a part of a sweep, `part` is [number, of how many], `planned_whole` the ids of the
            whole, which `plan` describes.
          must_match: Entries of the manifest that must be what they were when the journal was
            started; of dictionaries, what both have. Any other may differ: the older value goes to
            the list `resumed` of the manifest, with the number of runs that were made under it, and
            a notice says so.
          extend: Whether runs may be added to those that were planned. What was planned stays so,
            and rows keep their settings: others under the name of a row are refused nevertheless.
          retry: Tells of a failed run, by its id, whether to drop its row: it is then unfinished.
          mend: Whether to drop, likewise, rows that are damaged or whose arrays or weights are.

        Where there are rows and no manifest, it is written anew if all of them are of planned runs.

        Raises:
          DserError: if another process has the folder, if it cannot be written, or if the schema,
            an entry of `must_match` or the plan differs; the message shows the difference.
          DataError: if the manifest is damaged; or a line of `rows.jsonl` before the last is, or is
            of a run that was not planned, and is not to be dropped.
        """
        folder = Path(folder)
        refuse_prepared(folder)
        with saying(folder):
            for part in ("arrays", "truth", "params"):
                (folder / part).mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder)
        journal = cls(folder, lock)
        try:
            journal._take_up(plain(manifest), tuple(must_match), extend, retry, mend)
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
        mend: bool,
    ) -> None:
        for part in (".", "arrays", "truth", "params"):
            for path in remove_stale(self.folder / part):
                self.notices.append(f"{path}: removed, half-written by an interrupted run")
        manifest = {**manifest, "schema": SCHEMA}
        for key in ("planned", "planned_whole"):
            if isinstance(manifest.get(key), list):
                manifest[key] = list(dict.fromkeys(manifest[key]))
        path = self._row_file.path
        data = read_bytes(path)
        older = read_manifest(self.folder)
        lost = older is None
        if older is None:
            older = {**manifest, "created": now()}
            if data and planned_runs(older) is None:
                raise DserError(
                    f"{self.folder} holds rows but no manifest.json, and only the number of runs "
                    "is planned, so whose rows they are is not known; choose another --out, or "
                    "move it away"
                )
        check_schema(self.folder, older)
        check_match(self.folder, older, manifest, must_match)
        change = check_plan(self.folder, older, manifest, extend=extend)
        try:
            rows, lines, notices = parse_rows(
                path, data, planned_runs(older), mend=mend and not lost
            )
        except DataError as error:
            if not lost:
                raise
            raise DserError(f"{error}. {self.folder} has no manifest.json") from error
        self.notices += notices
        if lost and rows:
            self.notices.append(
                f"{self.folder / 'manifest.json'} is missing; written anew, as all runs that are "
                "here are of this sweep. When and with what they were made is not known"
            )
        dropped = self._to_drop(rows, retry, mend)
        kept = [at for at, row in enumerate(rows) if row["run"] not in dropped]
        self._rows = [rows[at] for at in kept]
        self.finished = {row["run"] for row in self._rows}
        self._row_file.take_over(b"".join(lines[at] for at in kept))
        joined, notices = join_manifests(older, manifest, must_match, change, len(self._rows))
        self.notices += notices
        self.manifest = older
        if lost or joined != older:
            self._write_manifest(joined)

    def _to_drop(self, rows: list[Row], retry: Callable[[str], bool], mend: bool) -> set[str]:
        """Returns which runs are to be done again; says why, and what is lost of others."""
        failed = {r["run"] for r in rows if r.get("status") == "failed" and retry(r["run"])}
        if failed:
            self.notices.append(f"dropped the rows of {plural(len(failed), 'run')} that failed")
        rows = [row for row in rows if row["run"] not in failed]
        if not mend:
            self.notices += missing_weights(self.folder, rows) + missing_arrays(self.folder, rows)
            return failed
        lost = set()
        for row in rows:
            try:
                load_arrays(array_file(self.folder / "arrays", row["run"]))
                if row.get("weights"):
                    check_weights(self.folder, row["run"])
            except DataError as error:
                lost.add(row["run"])
                self.notices.append(f"{error.file}: {error.problem}; its run is not finished")
        return failed | lost

    def _write_manifest(self, manifest: dict[str, Any]) -> None:
        self.check()
        write_sealed(self.folder / "manifest.json", manifest)
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
        rows = as_planned(self.rows(), self.manifest)
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
        line = to_sealed(written)
        save_arrays(array_file(self.folder / "arrays", run), arrays)
        self._row_file.append(line)
        self._rows.append(written)
        self.finished.add(run)
        return True

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
        self._row_file.close()
        self._lock.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
