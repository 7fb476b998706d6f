"""Features of one's own, on their way into a prepared folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dser_jax.corpora import RECOGNISED, Dialect
from dser_jax.data.folder.entries import TEXT
from dser_jax.data.prepared import Prepared
from dser_jax.data.rows.missing import Half, Rule, settle
from dser_jax.data.rows.table import Table
from dser_jax.data.staging import Staging
from dser_jax.features import (
    FEATURES,
    Imported,
    find_labels,
    imported_from,
    is_imported,
    load_imported,
    remarks_on,
)
from dser_jax.system import BadInput, DataError, DserError


@dataclass(frozen=True)
class Reading:
    """How files of features are read.

    Attributes:
      dialect: What is known of how those are written that are tables.
      header: Whether these begin with the names of their columns.
      labels: Whether columns that are labels are taken for features, or refused.
      half: What the features are of.
    """

    dialect: Dialect = RECOGNISED
    header: bool = True
    labels: bool = False
    half: Half = "speech"


def check_taken(features: Sequence[str], own: Collection[str], old: Prepared | None) -> None:
    """Makes sure that a name is of extracted features or of imported ones, and not of both.

    Raises:
      DserError: It is of both.
    """
    there = {} if old is None else old.manifest["features"]
    for name in (*features, *own):
        mine = name in own
        if name in own and name in features:
            raise DserError(f"{name}: extract these features or import them, not both at once")
        if name in there and name in FEATURES and is_imported(there[name]["source"]) != mine:
            was, now = ("extracted", "imported") if mine else ("imported", "extracted")
            where = "" if old is None else f"{old.folder}: "
            raise DserError(
                f"{where}the features {name} were {was} ({there[name]['source']}), and are not "
                f"replaced by {now} ones: choose another --out" + (", or name" if mine else "")
            )


def import_features(
    path: Path,
    name: str,
    table: Table,
    bad: BadInput,
    said: list[str],
    reading: Reading,
    rule: Rule | None,
) -> Imported:
    """Reads features of one's own: a row for each utterance of the corpus, or of the folder.

    Args:
      path: The file.
      name: What they are called.
      table: The utterances; those that lack features may be left out by it.
      bad: Decides about what cannot be used.
      said: Takes what was done, for people.
      reading: How the file is read.
      rule: What to do about utterances that have no features.

    Raises:
      DataError: They are not those of the table, labels are among them, or an utterance has none.
    """
    found = load_imported(
        path, name, table.utterances, reading.dialect, keep=table.keep, header=reading.header
    )
    if name in FEATURES and FEATURES[name].kind != found.kind:
        kinds = {"hsf": "one row an utterance", "lld": "frames"}
        raise DataError(
            f"not what {name} stands for",
            file=path,
            value=kinds[found.kind],
            expected=f"{kinds[FEATURES[name].kind]}, or another name",
        )
    said += found.said
    for row, problem in found.problems.items():
        bad(problem)
        table.keep[row] = False
    if all(row in found.missing for row in table.rows()):
        raise DataError("no utterance has features here", file=path, expected="some that has")
    settle(reading.half, rule, found.missing.items(), table, bad)
    _refuse_labels(path, found, table, said, reading.labels)
    said += [f"{path.name}: {remark}" for remark in remarks_on(found, table.utterances)]
    return found


def _refuse_labels(
    path: Path, found: Imported, table: Table, said: list[str], allowed: bool
) -> None:
    """Refuses columns that are labels, or says that they are taken for features."""
    labels = find_labels(found, table.utterances)
    if not labels:
        return
    told = [f"{each.column} {each.how} {each.attribute}" for each in labels]
    if allowed:
        said.append(
            f"{path.name}: taken for features, although they are labels: {'; '.join(told)}; scores "
            "say nothing about a network that reads them"
        )
        return
    first = labels[0]
    more = f" ({'; '.join(told[1:])})" if len(told) > 1 else ""
    raise DataError(
        f"labels among the features: the column {first.column} {first.how} {first.attribute}{more}",
        file=path,
        expected="features alone; or --allow-label-columns, which takes labels for features",
    )


def add_imported(staging: Staging, name: str, found: Imported, path: Path, half: Half) -> None:
    """Writes features of one's own."""
    more = {"half": TEXT} if half == "transcripts" else {}
    parts = [found.utterances[row] for row in staging.rows]
    lengths = [0 if part is None else len(part) for part in parts]
    source = imported_from(path)
    staging.write_parts(name, found.kind, found.columns, source, parts, lengths, more)
