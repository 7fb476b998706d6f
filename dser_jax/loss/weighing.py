"""The gradient of a step: that of the weighted loss, or one of each task, mixed by a weighting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from dser_jax.loss.weighting import NEEDS, Weighting
from dser_jax.models import HEADS, Factors
from dser_jax.system import DserError

_OWN = 0x57E1
"""Folded into a step's key for what a weighting draws."""

LossesOf = Callable[[Any], tuple[Float[Array, " attr"], Any]]
"""Takes parameters to the losses of a batch, and to what else came of it."""


def needed(
    weighting: Weighting,
    key: PRNGKeyArray,
    setting: Float[Array, ""],
    method: Int[Array, ""],
) -> dict[str, Array]:
    """Returns what a weighting needs that is known before the pass, by name.

    `key` is the step's, from which dropout is drawn; the weighting gets one of its own.
    """
    known = {"key": jax.random.fold_in(key, _OWN), "setting": setting, "method": method}
    return {name: value for name, value in known.items() if name in weighting.needs}


class Watched(NamedTuple):
    """The three tasks' gradients on the shared layers, at a step, or in the mean of an epoch's.

    Attributes:
      cosines: Of the angles between them: valence and arousal, valence and dominance, arousal and
        dominance; 0 where one is zero.
      norms: How long they are, each times its loss weight.
      shares: How much of each loss the step took, by `Weighting.combine`.
    """

    cosines: Float[Array, "*epoch pair"]
    norms: Float[Array, "*epoch attr"]
    shares: Float[Array, "*epoch attr"]


class Gradient(NamedTuple):
    """What a batch gives.

    Attributes:
      loss: The number that is trained on.
      losses: Of each attribute.
      gradient: Of all parameters, those of the weighting included.
      shares: How much of each loss is in the gradient: the derivative of `loss` by them.
      gram: As `Weighting` has it; None where nobody asked for it.
      aux: What else came of the pass.
    """

    loss: Float[Array, ""]
    losses: Float[Array, " attr"]
    gradient: Any
    shares: Float[Array, " attr"]
    gram: Float[Array, "attr attr"] | None
    aux: Any


def check_needs(name: str, weighting: Weighting) -> None:
    """Refuses a weighting that asks for what there is not.

    Raises:
      DserError: It does.
    """
    unknown = [need for need in weighting.needs if need not in NEEDS]
    if unknown:
        raise DserError(f"weighting {name!r} needs {unknown[0]!r}; there are {', '.join(NEEDS)}")


def find_gradient(
    weighting: Weighting,
    losses_of: LossesOf,
    params: Any,
    memory: Any,
    loss_weights: Float[Array, " attr"],
    given: dict[str, Array],
    factors: Factors | None = None,
) -> Gradient:
    """Computes the gradient of a batch.

    Args:
      weighting: How the losses become one.
      losses_of: The network and the loss on a batch, without the parameters.
      params: Of the network, and those that the weighting learns.
      memory: What the weighting remembers.
      loss_weights: Of the run.
      given: What the weighting needs, save its Gram matrix.
      factors: Of the network's parameters on the batch, where the Gram matrix is asked for.
    """
    own = params.get("weighting", ())

    def combined(learned, losses, **more):
        return weighting.combine(learned, memory, losses, loss_weights, **given, **more)

    combine = jax.value_and_grad(combined, argnums=(0, 1))
    if factors is None:
        losses, pull, aux = jax.vjp(losses_of, without_own(params), has_aux=True)
        loss, (d_own, shares) = combine(own, losses)
        (gradient,), gram = pull(shares), None
    else:
        losses, pull, (aux, seen) = jax.vjp(
            partial(factors.read, losses_of), factors.narrow(), has_aux=True
        )
        (each,) = jax.vmap(pull)(jnp.eye(len(losses), dtype=losses.dtype))
        gram = _gram(each, jax.vmap(factors.dual, (0, None))(each, seen))
        gram = gram * jnp.outer(loss_weights, loss_weights)
        by_gram = "gram" in weighting.needs
        loss, (d_own, shares) = combine(own, losses, **({"gram": gram} if by_gram else {}))
        heads = loss_weights if by_gram else shares
        gradient = {
            name: jax.tree.map(lambda x, by=heads if name in HEADS else shares: _sum(by, x), part)
            for name, part in each.items()
        }
        gradient = factors.widen(gradient, seen)
    if "weighting" in params:
        gradient = {**gradient, "weighting": d_own}
    return Gradient(loss, losses, gradient, shares, gram, aux)


def without_own(params: Any) -> dict:
    """Leaves out what the weighting learns."""
    return {name: part for name, part in params.items() if name != "weighting"}


def watched(found: Gradient) -> Watched:
    """Tells the angles between the gradients of a step, their lengths, and what it took of each."""
    assert found.gram is not None
    norms = jnp.sqrt(jnp.maximum(jnp.diagonal(found.gram), 0.0))
    lengths = norms[jnp.array([0, 0, 1])] * norms[jnp.array([1, 2, 2])]
    inner = found.gram[jnp.array([0, 0, 1]), jnp.array([1, 2, 2])]
    cosines = jnp.where(lengths > 0, inner / jnp.where(lengths > 0, lengths, 1.0), 0.0)
    return Watched(cosines, norms, found.shares)


def _gram(each: Any, dual: Any) -> Float[Array, "attr attr"]:
    """Multiplies the gradients of the tasks with each other, over all that they share."""
    pairs = [
        (one, other)
        for name in each
        if name not in HEADS
        for one, other in zip(jax.tree.leaves(each[name]), jax.tree.leaves(dual[name]), strict=True)
    ]
    tasks = range(len(jax.tree.leaves(each)[0]))
    if not pairs:
        return jnp.zeros((len(tasks), len(tasks)))
    # Sums of products that read each gradient once; so small a matrix product would be slow.
    found = {
        (i, j): jnp.stack([(one[i] * other[j]).sum() for one, other in pairs]).sum()
        for i in tasks
        for j in tasks
        if i <= j
    }
    return jnp.stack([jnp.stack([found[min(i, j), max(i, j)] for j in tasks]) for i in tasks])


def _sum(shares: Float[Array, " attr"], each: Array) -> Array:
    """Adds up the gradients of the tasks, each so much."""
    first, *more = (shares[task].astype(each.dtype) * each[task] for task in range(len(each)))
    return sum(more, start=first)
