"""Gradients in few numbers, for a step that takes one of each task to compare and then add them.

Of a dense layer on a batch of N utterances the gradient of the kernel is x^T d, with N rows in
both: x, which all tasks share, and d, a task's gradient by what the layer gives. That of a table of
word vectors is zero but for the words that are said. Whole, three such gradients are written and
read for nothing but a few inner products. So a task's gradient is taken of what layers give, and of
the vectors of the batch's words; inner products come of these, and only what they add up to becomes
a gradient.

Layers are found by looking on while the network is traced; of encoders that are not of this
package nothing is known, and theirs are left whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax
from jaxtyping import Array, Float, Int, Int32

from dser_jax.models.layers import LSTM
from dser_jax.models.network import Network
from dser_jax.models.text import Embedding

Path = tuple[str, ...]

TABLE = ("text", "embedding", "embedding")
"""Where a network keeps word vectors."""

KERNEL, PROBE = "kernel", "probe"


class Words(NamedTuple):
    """The words of a batch.

    Attributes:
      said: As often as they are said, the padding first.
      row: In which row of those each word of the vocabulary is, behind the last if in none.
    """

    said: Int[Array, " said"]
    row: Int32[Array, " word"]


@dataclass(frozen=True)
class Factors:
    """What stands for what in the parameters of a network on a batch.

    Attributes:
      params: The parameters.
      probes: Zeros [utt, width] for each layer by its path: added to what it gives, so that their
        gradient is d.
      words: Of the batch; None where the table is left whole.
    """

    params: Any
    probes: dict[Path, Float[Array, "utt width"]]
    words: Words | None = None

    def narrow(self) -> Any:
        """Returns what gradients are taken of, named as the parameters are."""
        flat = _flat(self.params)
        flat = {path: x for path, x in flat.items() if path[:-1] not in self.probes}
        flat |= {(*path, PROBE): probe for path, probe in self.probes.items()}
        if self.words is not None:
            flat[TABLE] = jnp.take(flat[TABLE], self.words.said, axis=0, mode="fill", fill_value=0)
        return unflatten_dict(flat)

    def read(self, apply: Callable[[Any], tuple[Any, Any]], few: Any) -> tuple[Any, Any]:
        """Lets a network run on what `narrow` returned.

        Args:
          apply: Takes parameters to what comes of the network, in two parts.
          few: As `narrow` returned it.

        Returns:
          The first part; and the second, beside what each layer with a probe was given.
        """
        given, all_of, seen = _flat(few), _flat(self.params), {}

        def instead(call, args, kwargs, context):
            path = context.module.path
            if self.words is not None and _looks_up(context):
                rows = jnp.take(self.words.row, *args, mode="fill", fill_value=len(self.words.said))
                return jnp.take(given[TABLE], rows, axis=0, mode="fill", fill_value=0)
            found = call(*args, **kwargs)
            if path in self.probes and _multiplies(context):
                seen[path] = args[0].reshape(-1, args[0].shape[-1])
                found = found + given[*path, PROBE].reshape(found.shape)
            return found

        whole = {path: x for path, x in given.items() if path in all_of}
        if self.words is not None:
            del whole[TABLE]
        with nn.intercept_methods(instead):
            found, more = apply(unflatten_dict(all_of | whole))
        return found, (more, seen)

    def dual(self, each: Any, seen: dict[Path, Array]) -> Any:
        """Returns gradients such that products with `each` are those of the whole gradients.

        With x^T d and y^T e those of kernels, and of each bias the sum of d or e, the product is
        that of d and (x y^T + biases) e.
        """
        flat = _flat(each)
        for path in self.probes:
            x, biases = seen[path], sum(x.ndim == 1 for x in self._layer(path).values())
            products = jnp.matmul(x, x.T, precision=lax.Precision.HIGHEST) + float(biases)
            d = flat[*path, PROBE]
            flat[*path, PROBE] = jnp.matmul(products, d, precision=lax.Precision.HIGHEST)
        return unflatten_dict(flat)

    def widen(self, few: Any, seen: dict[Path, Array]) -> Any:
        """Makes a gradient of the parameters of one of what `narrow` returned."""
        flat = _flat(few)
        for path in self.probes:
            d = flat.pop((*path, PROBE))
            for name, x in self._layer(path).items():
                bias = d.sum(0) if x.ndim == 1 else jnp.zeros_like(x)
                flat[*path, name] = seen[path].T @ d if name == KERNEL else bias
        if self.words is not None:
            zeros = jnp.zeros_like(_flat(self.params)[TABLE])
            # Of a word that is said twice one row alone is looked up: the others' are zero.
            flat[TABLE] = zeros.at[self.words.said].add(flat[TABLE], mode="drop")
        return unflatten_dict(flat)

    def _layer(self, path: Path) -> dict[str, Array]:
        found = self.params
        for name in path:
            found = found[name]
        return found


def find_factors(
    network: Network,
    apply: Callable[[Any], Any],
    params: Any,
    tokens: Int[Array, "utt token"] | None,
) -> Factors:
    """Finds the layers and words of a batch that are fewer numbers than their parameters.

    Args:
      network: Whose layers they are.
      apply: Takes parameters to what comes of the network; is only traced.
      params: Of the network, and others.
      tokens: Of the batch; numbers behind the last word are no words.
    """
    calls: dict[Path, list[tuple[Any, Any]]] = {}

    def look_on(call, args, kwargs, context):
        found = call(*args, **kwargs)
        if _multiplies(context):
            calls.setdefault(context.module.path, []).append((args[0], found))
        return found

    with nn.intercept_methods(look_on):
        jax.eval_shape(apply, params)
    probes = {}
    for path, (first, *more) in calls.items():
        (*_, feat), (*utterances, width) = first[0].shape, first[1].shape
        count = math.prod(utterances)
        if not more and _is_ours(network, path) and count * (feat + width) < feat * width:
            probes[path] = jnp.zeros((count, width), first[1].dtype)
    table = _flat(params).get(TABLE)
    if tokens is None or table is None or not _is_ours(network, TABLE):
        return Factors(params, probes)
    few = tokens.size < len(table)
    return Factors(params, probes, _words(tokens, len(table)) if few else None)


def _words(tokens: Array, words: int) -> Words:
    """Lists what is said, and in which row of the list each word of the vocabulary is."""
    said = jnp.concatenate([jnp.zeros(1, tokens.dtype), tokens.reshape(-1)])
    number = jnp.arange(len(said), dtype=jnp.int32)
    # The last of its places is a word's row: a maximum, as which of several writes stays is open.
    row = jnp.full(words, -1, jnp.int32).at[said].max(number, mode="drop")
    return Words(said, jnp.where(row < 0, len(said), row))


def _flat(tree: Any) -> dict[Path, Any]:
    return flatten_dict(tree)


def _is_ours(network: Network, path: Path) -> bool:
    """Tells whether a layer is of this package: of an encoder of its own, or of none."""
    parts = {"acoustic": network.acoustic, "text": network.text, "context": network.context}
    part = parts.get(path[0])
    return part is None or type(part).__module__.startswith("dser_jax.models.")


def _multiplies(context: nn.module.InterceptorContext) -> bool:
    """Tells whether a layer multiplies its kernel by a vector of each utterance."""
    module, method = context.module, context.method_name
    if type(module) is nn.Dense and method == "__call__":
        return True
    return type(module) is LSTM and method == "project"


def _looks_up(context: nn.module.InterceptorContext) -> bool:
    return type(context.module) is Embedding and context.method_name == "__call__"
