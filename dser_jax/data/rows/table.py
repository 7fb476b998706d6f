"""The utterances that a folder is made of, and which of them are kept."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dser_jax.corpora import (
    ATTRS,
    Corpus,
    Scale,
    Utterance,
    ends_of,
    scale_as_json,
    scale_in_words,
)
from dser_jax.data.folder.table import KEYS, row_key, table_sha256, without_dialogues
from dser_jax.data.prepared import Prepared
from dser_jax.system import BadInput, DataError, DserError, plural

_UNKNOWN = (
    "this folder was prepared before dialogues were known, and has none: for networks that "
    "see what comes before a turn, prepare the corpus in a new folder"
)


@dataclass
class Table:
    """The utterances as the loader gave them, and which of them are kept.

    Attributes:
      name, scale: The corpus'.
      utterances: All of them; of one left out earlier only the id may be known.
      keep: A flag for each.
      sha256: Fingerprint of the table as the loader gave it.
      said: What to tell of the corpus.
      rules: "keep" for "transcripts" and "speech", where rows are kept that have none.
    """

    name: str
    scale: Scale
    utterances: list[Utterance]
    keep: list[bool]
    sha256: str
    rules: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def kept(self) -> list[Utterance]:
        """Returns the utterances that are kept."""
        return [utt for utt, keep in zip(self.utterances, self.keep, strict=True) if keep]

    def rows(self) -> list[int]:
        """Returns their row numbers."""
        return [row for row, keep in enumerate(self.keep) if keep]


def make_table(corpus: Corpus | None, old: Prepared | None, out: Path) -> Table:
    """Returns the table to work on: the corpus' or the folder's.

    Raises:
      DataError: Two utterances have one id.
      DserError: The folder was prepared from another corpus.
    """
    gone = {int(row): id for row, id in old.manifest["left_out_rows"].items()} if old else {}
    rules = dict(old.manifest.get("missing", {})) if old else {}
    said: list[str] = []
    if corpus is None:
        assert old is not None
        utterances = _fill(old.utterances, gone)
        name, scale = old.manifest["corpus"], old.scale
        sha256 = old.manifest["corpus_sha256"]
    else:
        loaded = [
            dataclasses.replace(utt, file=utt.file.absolute()) if utt.file else utt
            for utt in corpus.utterances
        ]
        name, scale = corpus.name, corpus.scale
        _check_ids(loaded)
        sha256 = _sha256(loaded, corpus)
        if old is not None and sha256 != old.manifest["corpus_sha256"]:
            bare = without_dialogues(loaded)
            if _sha256(bare, corpus) != old.manifest["corpus_sha256"]:
                raise DserError(_difference(corpus, old, set(gone.values()), out))
            # The folder is from before dialogues were known, and stays what it is.
            loaded, sha256 = bare, old.manifest["corpus_sha256"]
            said.append(_UNKNOWN)
        utterances = _fill(loaded, corpus.gaps)
        gone |= corpus.gaps
    keep = [i not in gone for i in range(len(utterances))]
    return Table(name, scale, utterances, keep, sha256, rules, said)


def check_on_scale(table: Table, tolerated: tuple[float, float] | None, bad: BadInput) -> None:
    """Leaves out rows with a label off its scale, or beyond what a corpus tolerates there.

    Raises:
      DataError: There is one, and `bad` does not skip it.
    """
    for row in table.rows():
        utt = table.utterances[row]
        for attr in ATTRS:
            label, (low, high) = getattr(utt, attr), tolerated or ends_of(table.scale, attr)
            if not (low <= label <= high or math.isnan(label)):
                bad(
                    DataError(
                        f"the {attr} of utterance {utt.id} is off the scale",
                        file=utt.source or None,
                        value=float(label),
                        expected=f"a number from {low:g} to {high:g}, the scale of {table.name}",
                    )
                )
                table.keep[row] = False
                break


def _sha256(utterances: Sequence[Utterance], corpus: Corpus) -> str:
    """Fingerprints what a loader gave."""
    sha256 = table_sha256(utterances, corpus.scale)
    if corpus.gaps:
        sha256 = hashlib.sha256(f"{sha256} {sorted(corpus.gaps)}".encode()).hexdigest()
    return sha256


def _fill(rest: Sequence[Utterance], gone: Mapping[int, str]) -> list[Utterance]:
    """Puts what was left out back in its place, of which no more than the id is known."""
    others = iter(rest)
    count = len(rest) + len(gone)
    return [Utterance(gone[i]) if i in gone else next(others) for i in range(count)]


def _check_ids(utterances: Sequence[Utterance]) -> None:
    seen: dict[str, str] = {}
    for number, utt in enumerate(utterances, start=1):
        place = utt.source or f"row {number}"
        if utt.id in seen:
            raise DataError(
                f"two utterances of one id, {seen[utt.id]} and {place}",
                value=utt.id,
                expected="each id once: number those that recur, or leave all but one out",
            )
        seen[utt.id] = place


def _difference(corpus: Corpus, old: Prepared, gone: set[str], out: Path) -> str:
    """Says how a corpus differs from the one that a folder was prepared from."""
    new = [utt for utt in corpus.utterances if utt.id not in gone]
    text = (
        f"{out}: holds another corpus, or another version of it: it was prepared from "
        f"{old.manifest['corpus']} with {plural(len(old.utterances), 'utterance')}, and this is "
        f"{corpus.name} with {len(new)}; "
    )
    if scale_as_json(corpus.scale) != scale_as_json(old.scale):
        scales = scale_in_words(corpus.scale), scale_in_words(old.scale)
        text += f"its labels are from {scales[0]}, were from {scales[1]}; "
    for row, (was, now) in enumerate(zip(old.utterances, new, strict=False), start=1):
        if row_key(was) != row_key(now):
            keys = zip(KEYS, _whole_key(now), _whole_key(was), strict=True)
            column, here, there = next(key for key in keys if key[1] != key[2])
            what = f"{here!r}, was {there!r}"
            text += f"row {row} ({was.id}) differs first, in its {column}: {what}; "
            break
    return text + "choose another --out"


def _whole_key(utt: Utterance) -> list[str]:
    key = row_key(utt)
    return key + [""] * (len(KEYS) - len(key))
