"""A corpus and its features, written as one prepared folder that training reads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dser_jax import __version__
from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance
from dser_jax.errors import BadInput
from dser_jax.features.disk import locked, replacing
from dser_jax.prepared import (
    MANIFEST,
    SCHEMA,
    TABLE,
    Prepared,
    load_prepared,
    table_sha256,
    write_table,
)

__all__ = ["Prepared", "load_prepared", "prepare"]


def prepare(
    corpus: Corpus,
    out: str | Path,
    *,
    features: Sequence[str] = (),
    acoustic: Mapping[str, str | Path] | None = None,
    vectors: Mapping[str, str | Path] | None = None,
    jobs: int | None = None,
    bad: BadInput | None = None,
    store: str | Path | None = None,
    command: str | None = None,
) -> Prepared:
    """Writes the prepared folder of a corpus."""
    out, bad = Path(out), bad or BadInput()
    utterances = corpus.utterances
    with locked(out, "prepared folder"):
        with replacing(out / TABLE) as path:
            write_table(path, utterances)
        manifest = {
            "schema": SCHEMA,
            "corpus": corpus.name,
            "scale": list(corpus.scale),
            "utterances": len(utterances),
            "attributes": labelled(utterances),
            "has_transcripts": all(utt.transcript for utt in utterances),
            "features": {},
            "vectors": {},
            "left_out": [str(error) for error in bad.left_out],
            "utterances_sha256": table_sha256(utterances, corpus.scale),
            "command": command,
            "dser_jax": __version__,
        }
        with replacing(out / MANIFEST) as path:
            path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return load_prepared(out)


def labelled(utterances: Sequence[Utterance]) -> list[str]:
    """Returns the attributes for which at least one utterance has a label."""
    return [a for a in ATTRS if any(not math.isnan(getattr(utt, a)) for utt in utterances)]
