"""Features of frozen encoders, on their way into a prepared folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dser_jax.data.rows.missing import has_words
from dser_jax.data.rows.table import Table
from dser_jax.data.staging import Staging
from dser_jax.features import Encoder, Store, encode, find_loud
from dser_jax.system import BadInput


class Encoded:
    """The features of an encoder, in the store.

    Attributes:
      encoder: Which.
      store: Where they are kept.
      keys: For each row of the table its key there; None for one that has none.
    """

    def __init__(
        self,
        encoder: Encoder,
        table: Table,
        folder: Path,
        bad: BadInput,
        said: list[str],
        convert: bool = False,
        float16: bool = False,
    ) -> None:
        place = folder / "encoders" / (encoder.place + (".f16" if float16 else ""))
        speech = encoder.half == "speech"
        rows = [
            row
            for row in table.rows()
            if (
                table.utterances[row].file is not None
                if speech
                else has_words(table.utterances[row])
            )
        ]
        utterances = [table.utterances[row] for row in rows]
        found = encode(
            encoder, utterances, place, bad=bad, convert=convert, half=float16, said=said
        )
        self.encoder, self.store = encoder, Store(place, encoder.width, float16)
        self.keys: list[str | None] = [None] * len(table.utterances)
        for row, key in zip(rows, found, strict=True):
            self.keys[row] = key
            table.keep[row] = key is not None
        if speech:
            said += find_loud(self.store, utterances, found)
        if float16:
            said.append(f"the store kept {encoder.name} in half precision, of three digits")

    def add(self, staging: Staging) -> None:
        """Writes them; of an utterance without any there is nothing."""
        encoder = self.encoder
        kept = [self.keys[row] for row in staging.rows]
        if encoder.kind == "hsf":
            rows = np.concatenate(list(self._parts(kept, np.full((1, encoder.width), np.nan))))
            staging.write(encoder.name, encoder.columns, encoder.source, rows, encoder.entry())
            return
        lengths = [0 if key is None else self.store.rows(key) for key in kept]
        parts = self._parts(kept, np.zeros((0, encoder.width)))
        staging.write_frames(
            encoder.name, encoder.columns, encoder.source, parts, lengths, encoder.entry()
        )

    def _parts(self, keys: Sequence[str | None], nothing: np.ndarray) -> Iterator[np.ndarray]:
        empty = nothing.astype(np.float32)
        return (empty if key is None else self.store[key] for key in keys)
