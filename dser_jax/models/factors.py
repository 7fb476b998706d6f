"""Gradients in few numbers, for a step that takes one of each task to compare and then add them.

Of a dense layer on a batch of N utterances the gradient of the kernel is x^T d, with N rows in
both: x, which all tasks share, and d, a task's gradient by what the layer gives. That of a table of
word vectors is zero but for the words that are said. Whole, three such gradients are written and
read for nothing but a few inner products. So a task's gradient is taken of what layers give, and of
the vectors of the batch's words; inner products come of these, and only what they add up to becomes
a gradient.

Layers are found by looking on while the network is traced; of encoders that are not of this
package nothing is known, and theirs are left whole. Of this package's, no kernel may be read but by
its layer, and no word vector but by `Embedding`: a gradient that comes another way is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
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
        few = self.params
        for path, probe in self.probes.items():
            few = _put(few, path, {PROBE: probe})
        if self.words is not None:
            table = _get(self.params, TABLE)
            rows = jnp.take(table, self.words.said, axis=0, mode="fill", fill_value=0)
            few = _put(few, TABLE, rows)
        return few

    def read(self, apply: Callable[[Any], tuple[Any, Any]], few: Any) -> tuple[Any, Any]:
        """Lets a network run on what `narrow` returned.

        Args:
          apply: Takes parameters to what comes of the network, in two parts.
          few: As `narrow` returned it.

        Returns:
          The first part; and the second, beside what each layer with a probe was given.
        """
        whole, table, seen = few, _get(self.params, TABLE), {}
        for path in self.probes:
            whole = _put(whole, path, _get(self.params, path))
        if self.words is not None:
            whole = _put(whole, TABLE, table)

        def instead(call, args, kwargs, context):
            if self.words is not None and _looks_up(context, table):
                rows = jnp.take(self.words.row, *args, mode="fill", fill_value=len(self.words.said))
                return jnp.take(_get(few, TABLE), rows, axis=0, mode="fill", fill_value=0)
            found = call(*args, **kwargs)
            if _multiplies(context) and (path := context.module.path) in self.probes:
                seen[path] = args[0].reshape(-1, args[0].shape[-1]).astype(found.dtype)
                found = found + _get(few, (*path, PROBE)).reshape(found.shape)
            return found

        with nn.intercept_methods(instead):
            found, more = apply(whole)
        return found, (more, seen)

    def dual(self, each: Any, seen: dict[Path, Array]) -> Any:
        """Returns gradients such that products with `each` are those of the whole gradients.

        With x^T d and x^T e those of a kernel, and of each bias the sum of d or e, the product is
        that of d and (x x^T + biases) e.
        """
        for path in self.probes:
            x, layer = seen[path], _get(self.params, path)
            biases = sum(param.ndim == 1 for param in layer.values())
            products = jnp.matmul(x, x.T, precision=lax.Precision.HIGHEST) + float(biases)
            d = jnp.matmul(products, _get(each, (*path, PROBE)), precision=lax.Precision.HIGHEST)
            each = _put(each, path, {PROBE: d})
        return each

    def widen(self, few: Any, seen: dict[Path, Array]) -> Any:
        """Makes a gradient of the parameters of one of what `narrow` returned."""
        whole = few
        for path in self.probes:
            d, layer = _get(few, (*path, PROBE)), {}
            for name, param in _get(self.params, path).items():
                bias = d.sum(0) if param.ndim == 1 else jnp.zeros_like(param)
                gradient = seen[path].T @ d if name == KERNEL else bias
                layer[name] = gradient.astype(param.dtype)
            whole = _put(whole, path, layer)
        if self.words is not None:
            zeros = jnp.zeros_like(_get(self.params, TABLE))
            # Of a word that is said twice one row alone is looked up: the others' are zero.
            table = zeros.at[self.words.said].add(_get(few, TABLE), mode="drop")
            whole = _put(whole, TABLE, table)
        return whole


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
    calls: dict[Path, list[Any]] = {}

    def traced(params):  # A function of its own: of one that was traced before JAX traces nothing.
        def look_on(call, args, kwargs, context):
            found = call(*args, **kwargs)
            if _multiplies(context):
                path = context.module.path
                kernel = context.module.get_variable("params", KERNEL)
                # Neither that of another network nor one inside of a transformation.
                plain = kernel is _get(params, (*path, KERNEL)) and _is_ours(network, path)
                shapes = (args[0].shape, found.shape, found.dtype) if plain else None
                calls.setdefault(path, []).append(shapes)
            return found

        with nn.intercept_methods(look_on):
            return apply(params)

    jax.eval_shape(traced, params)
    probes = {}
    for path, (first, *more) in calls.items():
        if more or first is None:
            continue
        (*_, feat), (*utterances, width), dtype = first
        count = math.prod(utterances)
        if count * (feat + width) < feat * width:
            probes[path] = jnp.zeros((count, width), dtype)
    table = _get(params, TABLE)
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


def _get(tree: Any, path: Path) -> Any:
    """Returns what lies at a path; None where nothing does."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _put(tree: Any, path: Path, value: Any) -> Any:
    """Returns a tree with something else at a path, and all that is beside it as it is."""
    if not path:
        return value
    first, *rest = path
    return {**tree, first: _put(tree[first], tuple(rest), value)}


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


def _looks_up(context: nn.module.InterceptorContext, table: Array) -> bool:
    """Tells whether words are looked up in this very table, and not in somebody else's."""
    module = context.module
    if type(module) is not Embedding or context.method_name != "__call__":
        return False
    return module.get_variable("params", "embedding") is table
