"""The word vectors of one batch, in the place of the whole table, while gradients are taken.

The gradient of a table of word vectors is as large as the table, and nearly all of it zero: most
words are not in the batch. Where a step takes a gradient of each task, to compare and then add
them, three such tables would be most of its work. It takes gradients of the batch's vectors
instead, and only what they add up to becomes a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import errors
from jaxtyping import Array, Float, Int, Int32

TEXT, EMBEDDING = "text", "embedding"
"""Where a network keeps word vectors: `params["text"]["embedding"]["embedding"]`."""

LOOKUP = "lookup"
"""Flax's collection in which `Embedding` finds the rows of words, if there is one."""


class Lookup(NamedTuple):
    """The words of a batch.

    Attributes:
      words: Which words these are, as often as they are said, the padding first.
      row: In which row each word of the vocabulary is; behind the last, if it is not said.
    """

    words: Int[Array, " said"]
    row: Int32[Array, " word"]

    def narrow(self, params: Any) -> Any:
        """Puts the vectors of the batch in the place of the table."""
        table = jnp.asarray(_table(params))
        return _with(params, jnp.take(table, self.words, axis=0, mode="fill", fill_value=0))

    def widen(self, gradient: Any) -> Any:
        """Puts what the vectors of the batch got into a table of zeros."""
        found = jnp.asarray(_table(gradient))
        zeros = jnp.zeros((len(self.row), found.shape[1]), found.dtype)
        # Of a word that is said twice one row alone is looked up: the others' gradients are zero.
        return _with(gradient, zeros.at[self.words].add(found, mode="drop"))

    def variables(self) -> dict[str, Any]:
        """Returns what the network is told."""
        return {LOOKUP: {TEXT: {EMBEDDING: {"row": self.row}}}}


def find_lookup(
    apply: Callable[[Any, Lookup], Any], params: Any, tokens: Int[Array, "utt token"] | None
) -> Lookup | None:
    """Finds the words of a batch; None where their vectors would be no fewer than the table's.

    None, too, for a network that looks up its words in another way than by `Embedding`.

    Args:
      apply: Takes parameters and a lookup to what comes of the network; for a trial of shapes.
      params: Of the network.
      tokens: Of the batch; numbers behind the last word are no words.
    """
    table = _table(params)
    if tokens is None or table is None or tokens.size >= len(table):
        return None
    said = jnp.concatenate([jnp.zeros(1, tokens.dtype), tokens.reshape(-1)])
    number = jnp.arange(len(said), dtype=jnp.int32)
    # The last of its places is a word's row: a maximum, as which of several writes stays is open.
    row = jnp.full(len(table), -1, jnp.int32).at[said].max(number, mode="drop")
    found = Lookup(said, jnp.where(row < 0, len(said), row))
    try:
        jax.eval_shape(apply, found.narrow(params), found)
    except errors.ScopeParamShapeError:
        return None
    return found


def _table(params: Any) -> Float[Array, "word dim"] | None:
    for name in (TEXT, EMBEDDING, EMBEDDING):
        params = params.get(name) if isinstance(params, dict) else None
    return params


def _with(params: Any, table: Array) -> Any:
    return {**params, TEXT: {**params[TEXT], EMBEDDING: {EMBEDDING: table}}}
