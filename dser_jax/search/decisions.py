"""What a search has decided, on disk: written down when it decides, and replayed on a resume.

`decisions.jsonl` in the journal's folder has a line for each call of a search, in their order:

    {"ask": 3, "settings": {"alpha": 0.31, "beta": 0.5}, "seed": 1003, "run": "3f2a..."}
    {"keep": 3, "epoch": 4, "value": 0.412, "kept": true}
    {"tell": 3, "value": 0.536, "status": "ok"}

A call is made, then written and flushed, then acted on. After an interruption the calls are made
again on a search that has forgotten everything: its answers must be those that were written down.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.config import Config
from dser_jax.corpora import ATTRS
from dser_jax.engine import Judge
from dser_jax.journal import Journal, Row, read_bytes, read_manifest
from dser_jax.plan import RunSpec, run_of
from dser_jax.search.base import Search
from dser_jax.search.trials import value_of
from dser_jax.system import DataError, DserError, parse_sealed, plural, replacing, saying, to_sealed

FILE = "decisions.jsonl"

FIRST_SEED = 1000
"""Trial k is trained with seed 1000 + k: the seeds from 0 on are left for those that compare."""

Line = dict[str, Any]


class Decisions:
    """A search whose trials are runs of the engine, and whose decisions are on disk.

    Args:
      search: Is made to forget everything, and then told what is on disk.
      journal: Of whose rows a kill may have left the last untold.
      config: Static settings of all trials.
      fingerprint: Of the data.
      say: Called with what was amiss, for the user to read.

    Raises:
      DserError: The search does not answer as it did.
      DataError: A line before the last is damaged.
    """

    def __init__(
        self,
        search: Search,
        journal: Journal,
        config: Config,
        fingerprint: str,
        say: Callable[[str], Any],
    ) -> None:
        self.search, self._config, self._fingerprint = search, config, fingerprint
        self._path, self._check = journal.folder / FILE, journal.check
        self._finished = {row["run"]: row for row in journal.rows()}
        self._trials: dict[str, int] = {}
        self._items: list[tuple[str, RunSpec]] = []  # By trial.
        self._told: set[int] = set()
        self._kept: dict[tuple[int, int], bool] = {}
        self._dropped: set[int] = set()
        self._slots: list[int | None] = []
        search.begin()
        lines = _read(self._path, say)
        for number, line in enumerate(lines, 1):
            self._replay(number, line)
        with replacing(self._path) as file:  # Whoever else has it open, now has another file.
            file.write(b"".join(map(to_sealed, lines)))
        with saying(self._path):
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        for run, row in self._finished.items():
            if run in self._trials:
                self.tell(row)

    def __len__(self) -> int:
        """Returns how many trials have not ended yet."""
        return max(0, self.search.count - len(self._told))

    def judge(self, labelled: np.ndarray) -> Judge | None:
        """Returns what the engine asks at the rungs; None where there are none.

        Args:
          labelled: Which attributes [attr] have labels on the validation rows.
        """
        wanted = np.isin(ATTRS, self.search.space.attrs) & labelled

        def keep(run: str, epoch: int, ccc: np.ndarray) -> bool:
            return self._keep(self._trials[run], epoch, float(np.mean(ccc[wanted], dtype=float)))

        return Judge(self.search.rungs, keep) if self.search.rungs else None

    def runs(self) -> Iterator[tuple[str, RunSpec]]:
        """Yields the trials that were under way, then asks for new ones, each when it is wanted.

        The engine puts them into its slots in this order. Those that were under way thus come to
        lie where they lay, which is what makes the order of later decisions the same.
        """
        for trial in list(self._slots):
            item = self._ask() if trial is None else self._items[trial]
            if item is not None:
                yield item
        while (item := self._ask()) is not None:
            yield item

    def _keep(self, trial: int, epoch: int, value: float) -> bool:
        """Decides whether a trial goes on; where it comes by again, as it was decided before."""
        if (trial, epoch) in self._kept:
            return self._kept[trial, epoch]
        if trial in self._dropped:
            return False
        kept = bool(self.search.keep(trial, epoch, value))
        shown = value if math.isfinite(value) else None
        self._write({"keep": trial, "epoch": epoch, "value": shown, "kept": kept})
        return kept

    def tell(self, row: Row) -> None:
        """Tells the search how a trial has ended, by its row, unless it was told."""
        trial = self._trials[row["run"]]
        if trial in self._told:
            return
        value = value_of(row, self.search.space.attrs)
        self.search.tell(trial, value, row["status"] == "pruned")
        self._write({"tell": trial, "value": value, "status": row["status"]})

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    def _ask(self) -> tuple[str, RunSpec] | None:
        """Asks for the next trial; None where there are no more."""
        while len(self._items) < self.search.count:
            trial = len(self._items)
            settings = self.search.ask(trial)
            run, spec = self._item(trial, settings)
            line = {"ask": trial, "settings": settings, "seed": spec.seed, "run": run}
            self._write(line)
            if run not in self._finished:
                return run, spec
            self.tell(self._finished[run])  # Its row outlived the line that asked for it.
        return None

    def _item(self, trial: int, settings: dict[str, float]) -> tuple[str, RunSpec]:
        spec = RunSpec(f"trial {trial}", self.search.space.hparams(settings), FIRST_SEED + trial)
        return run_of(self._config, spec, self._fingerprint), spec

    def _write(self, line: Line) -> None:
        self._check()
        with saying(self._path):
            data = to_sealed(line)
            if os.write(self._file, data) != len(data):
                raise OSError("the disk is full")
            os.fsync(self._file)
        self._take(line)

    def _take(self, line: Line) -> None:
        """Notes a line that is on disk."""
        if "ask" in line:
            item = self._item(line["ask"], line["settings"])
            self._items.append(item)
            self._trials[item[0]] = line["ask"]
            # As the engine does it: the first free slot.
            if None in self._slots:
                self._slots[self._slots.index(None)] = line["ask"]
            else:
                self._slots.append(line["ask"])
        elif "keep" in line:
            self._kept[line["keep"], line["epoch"]] = line["kept"]
            if not line["kept"]:
                self._dropped.add(line["keep"])
        else:
            self._told.add(line["tell"])
            self._slots[self._slots.index(line["tell"])] = None

    def _replay(self, number: int, line: Line) -> None:
        """Makes a call again, and compares the answer."""
        try:
            if "ask" in line:
                trial = line["ask"]
                settings = self.search.ask(trial)
                run, _ = self._item(trial, settings)
                self._compare(number, "settings", line["settings"], settings)
                self._compare(number, "run", line["run"], run)
            elif "keep" in line:
                value = math.nan if line["value"] is None else line["value"]
                kept = bool(self.search.keep(line["keep"], line["epoch"], value))
                self._compare(number, "kept", line["kept"], kept)
            else:
                self.search.tell(line["tell"], line["value"], line["status"] == "pruned")
            self._take(line)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise DataError(
                f"a decision that this search cannot have made ({error})",
                file=self._path,
                line=number,
                value=json.dumps(line),
            ) from error

    def _compare(self, number: int, what: str, was: object, now: object) -> None:
        if was != now:
            raise DserError(
                f"{self._path}:{number}: the search does not decide as it did: {what} {now}, where "
                f"it was {was}. It goes on only with the versions that it was started with (see "
                "manifest.json), and with samplers that are seeded; or choose another --out"
            )


def check_count(folder: Path, search: Search, extend: bool) -> None:
    """Makes sure that a folder's search has as many trials as this one, or is to get more.

    Raises:
      DserError: It has more; or it has fewer, and is not to be extended.
    """
    was = (read_manifest(folder) or {}).get("planned")
    if not isinstance(was, int) or was == search.count:
        return
    differs = f"{folder} was planned with {plural(was, 'trial')}, and this is {search.count}"
    if was > search.count:
        raise DserError(differs)
    if not extend:
        raise DserError(f"{differs}; --extend adds {search.count - was}")


def _read(path: Path, say: Callable[[str], Any]) -> list[Line]:
    """Reads what was decided; drops a last line that is cut off, and says so."""
    *whole, rest = read_bytes(path).split(b"\n")
    lines = []
    for number, text in enumerate(whole, 1):
        try:
            line = parse_sealed(text)
        except ValueError:
            line = {}
        if not {"ask", "keep", "tell"} & line.keys():
            raise DataError(
                "a damaged line",
                file=path,
                line=number,
                value=text[:60].decode("utf-8", "replace"),
                expected="a decision as JSON; choose another --out, or take the file from a backup",
            )
        lines.append(line)
    if rest:
        say(f"{path}:{len(lines) + 1}: dropped the last line, which is cut off; it is made again")
    return lines
