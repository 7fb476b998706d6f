"""Test scores on parts of the test set: what leaks, kinds of turns, speakers, their sex.

A CCC over a part is not a share of the CCC over the whole: it is a score of its own, and with fewer
labels, or less varied ones, it may be lower or higher for that alone. So the score without the
utterances that leak is shown beside the score with them, for every row of the table: a network that
hears no words cannot profit from words it has seen, and tells how hard the rest is by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dser_jax.corpora import ATTRS, in_order
from dser_jax.data import MARKS
from dser_jax.journal import MISSING, Arrays, JournalView
from dser_jax.stats.means import Summary, summary
from dser_jax.stats.rows import Row
from dser_jax.system import DataError
from dser_jax.training import ccc

LEAST_SCORED = 20
"""Parts with fewer labelled utterances are not scored: a CCC of so few says next to nothing."""

KINDS = (
    (re.compile(r"_(impro|script)\d"), {"impro": "improvised", "script": "scripted"}),
    (
        re.compile(r"-[FM]\d\d-([PRST])-"),
        {"S": "improvised", "T": "improvised target", "R": "read target", "P": "natural"},
    ),
)
"""Kinds of turns by parts of ids: as in `Ses05F_impro01_F000`, and MSP-IMPROV-S01A-F01-P-FM01."""

_SEX = re.compile(r".*\d_?(?P<last>[FM])|(.*/)?(?P<first>[FM])\d+")

Parts = dict[str, NDArray[np.bool_]]
"""Name of a part -> which test rows belong to it."""


@dataclass(frozen=True)
class Shared:
    """How much of a test set training has met.

    Attributes:
      utterances: Test rows.
      transcripts: How many of them have a transcript that occurs in training or validation.
      speakers: Speakers of theirs who speak there, too.
      recordings: How many were cut from a recording that others there were cut from.
    """

    utterances: int
    transcripts: int
    speakers: tuple[str, ...]
    recordings: int


@dataclass(frozen=True)
class PartScore:
    """The CCC of one row of a table on one part of its test set.

    Attributes:
      name: The row.
      part: The part, as `parts_of` names it.
      utterances: Test rows of that part.
      scores: Attribute or "mean" -> over seeds; absent with fewer than `LEAST_SCORED` labels.
      change: The same of the part's score minus the whole set's, run by run.
    """

    name: str
    part: str
    utterances: int
    scores: Mapping[str, Summary]
    change: Mapping[str, Summary]


def marks_of(view: JournalView, truth: str) -> Arrays:
    """Loads what training has met of a test set; empty where a journal does not tell.

    Raises:
      DataError: It would tell, and is damaged.
    """
    try:
        return view.truth(f"{truth}.{MARKS}")
    except DataError as error:
        if error.problem == MISSING:
            return {}
        raise


def shared_with_training(marks: Arrays) -> Shared | None:
    """Counts what training has met; None where the journal does not tell."""
    if "test_seen_transcript" not in marks:
        return None
    both = marks["test_speaker"][marks["test_seen_speaker"]]
    return Shared(
        len(marks["test_seen_transcript"]),
        int(marks["test_seen_transcript"].sum()),
        tuple(in_order(both.tolist())),
        int(marks["test_seen_recording"].sum()),
    )


def parts_of(ids: Sequence[str], marks: Arrays) -> Parts:
    """Divides a test set in all the ways that its ids and speakers allow.

    Args:
      ids: The ids of the test rows.
      marks: As `marks_of` gives them.

    Returns:
      "new transcript" and "seen transcript" and the like, where some rows leak and some do not;
      "improvised" and the like, for ids like IEMOCAP's and MSP-IMPROV's; each speaker, where there
      are several, and "women" and "men", where all speakers' names tell, as Ses05F and F05 do.
    """
    parts: Parts = {}
    for what in ("transcript", "speaker", "recording"):
        seen = np.asarray(marks.get(f"test_seen_{what}", np.zeros(len(ids))), bool)
        if seen.any() and not seen.all():
            parts |= {f"new {what}": ~seen, f"seen {what}": seen}
    for pattern, names in KINDS:
        kinds = np.array([found[1] if (found := pattern.search(id_)) else "" for id_ in ids], str)
        if len(ids) and (kinds != "").all() and len(set(kinds.tolist())) > 1:
            parts |= {name: kinds == kind for kind, name in names.items() if kind in kinds}
    speakers = np.asarray(marks.get("test_speaker", np.full(len(ids), "")), str)
    names = in_order(set(speakers.tolist()) - {""})
    if len(names) > 1:
        parts |= {f"speaker {name}": speakers == name for name in names}
        found = [_SEX.fullmatch(name) for name in speakers.tolist()]
        sexes = [match["last"] or match["first"] if match else "" for match in found]
        if set(sexes) == {"F", "M"} and len(names) > 2:
            parts |= {"women": np.array(sexes) == "F", "men": np.array(sexes) == "M"}
    return parts


def part_scores(
    view: JournalView, runs: Sequence[Row], parts: Parts, problems: list[str]
) -> list[PartScore]:
    """Scores the runs of one test set on its parts, by name.

    Args:
      view: The journal.
      runs: Rows of it that predict the same test rows.
      parts: The parts, as `parts_of` gives them.
      problems: Takes what cannot be read of a run, in words; that run is left out.

    Returns:
      For each name the whole set, as "all", and then each part.

    Raises:
      DataError: The labels are missing or damaged.
    """
    found = []
    if not (parts and runs):
        return found
    parts = {"all": np.ones(len(next(iter(parts.values()))), bool)} | parts
    gold = np.asarray(view.truth(str(runs[0]["truth"]))["test_gold"], np.float64)
    for name in dict.fromkeys(str(run["name"]) for run in runs):
        by_part: dict[str, list[dict[str, float]]] = {part: [] for part in parts}
        for run in runs:
            if str(run["name"]) != name or run.get("status", "ok") != "ok":
                continue
            try:
                pred = np.asarray(view.arrays(run["run"])["test_pred"], np.float64)
            except (DataError, KeyError) as error:
                problems.append(f"run {run['run']} is in no part of the test set: {error}")
                continue
            if pred.shape != gold.shape or not np.isfinite(pred).all():
                problems.append(f"run {run['run']} is in no part of the test set: odd predictions")
                continue
            for part, rows in parts.items():
                by_part[part].append(_scores(gold[rows], pred[rows]))
        for part, rows in parts.items():
            scores = _summaries(by_part[part])
            steps = [
                {column: value - every[column] for column, value in one.items() if column in every}
                for one, every in zip(by_part[part], by_part["all"], strict=True)
            ]
            change = {} if part == "all" else _summaries(steps)
            found.append(PartScore(name, part, int(rows.sum()), scores, change))
    return found


def _scores(gold: NDArray, pred: NDArray) -> dict[str, float]:
    """Scores the attributes that have labels enough; "mean" only where all that have labels do."""
    scores = {}
    known = np.isfinite(gold)
    for column, attr in enumerate(ATTRS):
        rows = known[:, column]
        if rows.sum() >= LEAST_SCORED:
            scores[attr] = ccc(gold[rows, column], pred[rows, column])
    if scores and len(scores) == known.any(axis=0).sum():
        scores["mean"] = float(np.mean(list(scores.values())))
    return scores


def _summaries(runs: Sequence[Mapping[str, float]]) -> dict[str, Summary]:
    """Summarises each column over the runs that have it."""
    columns = dict.fromkeys(column for run in runs for column in run)
    return {column: summary([run[column] for run in runs if column in run]) for column in columns}
