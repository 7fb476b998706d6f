"""Features of frozen encoders, on their way into a prepared folder."""

from __future__ import annotations

from pathlib import Path

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
        about = self.encoder
        kept = [self.keys[row] for row in staging.rows]
        staging.write_parts(
            about.name,
            about.kind,
            about.columns,
            about.source,
            (None if key is None else self.store[key] for key in kept),
            [0 if key is None else self.store.rows(key) for key in kept],
            about.entry(),
        )
