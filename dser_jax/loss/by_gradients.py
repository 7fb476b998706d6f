"""Weightings by the gradients of the tasks on the layers that they share.

All that they see of them is the Gram matrix of the three, and all that they give is how much of
each to take. A gradient of zero is that of a task without labels or without weight: it has no part
in what is made of the others. Each states what it is undefined for; there it gives what is said
beside it, and always finite numbers. The scale of a Gram matrix makes no difference, but where it
is said.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from dser_jax.loss.small import least_above, least_on_simplex, solve_three

Gram = Float[Array, "attr attr"]
Shares = Float[Array, " attr"]
Number = Float[Array, ""]

RADIUS = 0.5
"""Of CAGrad's ball, in lengths of the mean gradient (Liu et al. 2021, image tasks: 0.4)."""
FORCE = 1.5
"""With which GradNorm pulls tasks back to a common rate (Chen et al. 2018; theirs, too)."""
NORM_RATE = 0.025
"""Step of GradNorm's weights (theirs, too)."""
LONGEST = 1.0
"""Of Nash-MTL's gradients, as its authors have it; longer ones are cut to it."""

_HALVINGS, _NEWTONS = 26, 18
_RIDGE = 1e-6
_FAINT = 1e-12


class Norms(NamedTuple):
    """What GradNorm remembers: the logarithms of its weights, and the losses of the first epoch."""

    logits: Any
    first: Any


NORMS = Norms(np.zeros(3, np.float32), np.zeros(3, np.float32))
"""As they begin: equal, and no epoch yet."""


def pcgrad(gram: Gram, key: PRNGKeyArray) -> Shares:
    """Takes from each gradient what conflicts with another, in random order (Yu et al. 2020).

    ``g_i <- g_i - min(0, g_i . g_j) / |g_j|^2 g_j`` for the others j one after the other, and then
    the sum. Defined for all; a gradient of zero conflicts with none.
    """
    turned = jax.random.bernoulli(key, shape=(3,))
    total = jnp.zeros(3, gram.dtype)
    for task in range(3):
        others = [(task + 1) % 3, (task + 2) % 3]
        total += jnp.where(
            turned[task],
            _without_conflicts(gram, task, others[::-1]),
            _without_conflicts(gram, task, others),
        )
    return total


def _without_conflicts(gram: Gram, task: int, others: list[int]) -> Shares:
    shares = jnp.zeros(3, gram.dtype).at[task].set(1.0)
    for other in others:
        inner = gram[other] @ shares
        length = jnp.where(gram[other, other] > 0, gram[other, other], 1.0)
        shares = shares.at[other].add(jnp.where(inner < 0, -inner / length, 0.0))
    return shares


def mgda(gram: Gram) -> Shares:
    """Finds the shortest vector among the means of the gradients (Désidéri 2012).

    Shares are at least 0 and add up to 1. A gradient of zero would be that vector, alone: the
    means are of the others.
    """
    return least_on_simplex(_scaled(gram), jnp.zeros(3, gram.dtype), jnp.diagonal(gram) > 0)


def upgrad(gram: Gram) -> Shares:
    """Projects each gradient to where no task gets worse, and takes their mean.

    Quinton & Rey 2024, "Jacobian descent". Defined for all.
    """
    scaled = _scaled(gram)
    floors = jnp.eye(3, dtype=gram.dtype) / 3
    return jnp.stack([least_above(scaled, floor) for floor in floors]).sum(0)


def cagrad(gram: Gram, radius: Number) -> Shares:
    """Goes for the task that gains least, near the mean gradient (Liu et al. 2021).

    ``g_0 + c |g_0| g_w / |g_w|``, where w of the simplex makes ``g_w . g_0 + c |g_0| |g_w|`` least.
    Where ``g_w`` vanishes no direction serves all tasks, and there is none: shares of 0.

    Args:
      gram: Of the gradients.
      radius: c, at least 0; 0 gives the mean.
    """
    scaled, there = _scaled(gram), jnp.diagonal(gram) > 0
    linear = scaled.mean(1)
    reach = radius * jnp.sqrt(jnp.maximum(scaled.mean(), 0.0))

    # |g_w| is the least over r of |g_w|^2 / 2r + r / 2, which leaves one convex problem in r.
    def halve(_, bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        shares = least_on_simplex(scaled * (reach / middle), linear, there)
        length = jnp.sqrt(jnp.maximum(shares @ scaled @ shares, 0.0))
        longer = length > middle
        return jnp.where(longer, middle, low), jnp.where(longer, high, middle)

    longest = jnp.sqrt(jnp.max(jnp.diagonal(scaled))) + 1e-6
    zero = jnp.zeros((), gram.dtype)
    low, high = lax.fori_loop(0, _HALVINGS, halve, (zero, longest))
    shares = least_on_simplex(scaled * (reach / (0.5 * (low + high))), linear, there)
    length = jnp.sqrt(jnp.maximum(shares @ scaled @ shares, 0.0))
    served = length > 1e-4
    found = 1 / 3 + reach / jnp.where(served, length, 1.0) * shares
    return jnp.where(served, found, 0.0)


def nash(gram: Gram) -> Shares:
    """Finds the bargain in which all tasks gain alike in proportion (Navon et al. 2022).

    ``G a = 1 / a``, G divided by its norm, by Newton's method on ``a' G a / 2 - sum(log a)``, which
    is convex. The sum of gradients is cut to a length of 1, as its authors do; so it depends on the
    scale where it is longer. Gradients that cancel out have no bargain: one part in a million of
    the largest eigenvalue is added to G, which bounds their shares.
    """
    norm = jnp.sqrt(jnp.sum(jnp.square(gram)))
    scaled = gram / jnp.where(norm > _FAINT, norm, 1.0) + _RIDGE * jnp.eye(3, dtype=gram.dtype)

    def newton(_, shares):
        slope = scaled @ shares - 1 / shares
        bend = scaled + jnp.diag(1 / jnp.square(shares))
        step = solve_three(bend, slope)
        decrement = jnp.sqrt(jnp.maximum(slope @ step, 0.0))
        return shares - step / jnp.where(decrement > 0.25, 1 + decrement, 1.0)

    start = 1 / jnp.sqrt(jnp.maximum(scaled.sum(1), jnp.diagonal(scaled)))
    shares = lax.fori_loop(0, _NEWTONS, newton, start)
    length = jnp.sqrt(jnp.maximum(shares @ gram @ shares, 0.0))
    return shares * jnp.where(length > LONGEST, LONGEST / jnp.maximum(length, _FAINT), 1.0)


def aligned(gram: Gram) -> Shares:
    """Makes the gradients orthogonal and of one length (Senushkin et al. 2023, Aligned-MTL).

    ``sigma_min V diag(1 / sigma) V' / 3``, of the singular values that are not zero; without any,
    equal shares.
    """
    values, vectors, real = _spectrum(gram)
    least = jnp.sqrt(jnp.min(jnp.where(real, values, jnp.inf)))
    inverse = jnp.where(real, least / jnp.sqrt(jnp.where(real, values, 1.0)), 0.0)
    shares = vectors @ (inverse * vectors.sum(0)) / 3
    return jnp.where(real.any(), shares, 1 / 3)


def imtl_g(gram: Gram) -> Shares:
    """Finds the sum that is as long along each gradient (Liu et al. 2021, IMTL-G).

    Shares add up to 1, and may be below 0. Of dependent gradients by the pseudoinverse of G; where
    shares would add up to 0, as for opposite gradients, there is no such sum: shares of 0.
    """
    values, vectors, real = _spectrum(gram)
    inverse = jnp.where(real, 1 / jnp.where(real, values, 1.0), 0.0)
    lengths = jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 0.0))
    found = vectors @ (inverse * (vectors.T @ lengths))
    total = found.sum()
    defined = jnp.abs(total) > 1e-6 * jnp.abs(found).sum()
    return jnp.where(defined, found / jnp.where(defined, total, 1.0), 0.0)


def gradnorm(memory: Norms) -> Shares:
    """Takes the weights that GradNorm has come to: ``3 softmax(logits)`` (Chen et al. 2018)."""
    return 3 * jax.nn.softmax(memory.logits)


def next_norms(memory: Norms, losses: Shares, gram: Gram, force: Number) -> Norms:
    """Moves GradNorm's weights by a step, down the gradient of eq. 2 of Chen et al. 2018.

    ``sum(|w_i |g_i| - mean(w |g|) r_i^alpha|)``, the mean and r held fixed; r is how far a task's
    loss is from that of its first epoch, over the mean of all. In the first epoch nothing moves.
    Sums and means are over gradients that are not zero.
    """
    weights = gradnorm(memory)
    lengths = jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 0.0))
    there = lengths > 0
    count = jnp.maximum(there.sum().astype(lengths.dtype), 1.0)

    def mean(each):
        return jnp.where(there, each, 0.0).sum() / count

    began = (memory.first > 0).any()
    left = jnp.where(memory.first > 0, losses / jnp.where(memory.first > 0, memory.first, 1.0), 1.0)
    rate = left / jnp.maximum(mean(left), _FAINT)
    goal = mean(weights * lengths) * jnp.maximum(rate, 0.0) ** force
    slope = jnp.sign(weights * lengths - goal) * lengths
    # Through the softmax: dw_i / dz_k = w_i (delta_ik - w_k / sum(w)).
    total = jnp.maximum(mean(weights) * count, _FAINT)
    onto = jnp.where(there, weights * (slope - (slope * weights).sum() / total), 0.0)
    return memory._replace(logits=memory.logits - jnp.where(began, NORM_RATE * onto, 0.0))


def first_losses(memory: Norms, losses: Shares) -> Norms:
    """Keeps the mean losses of the first epoch."""
    return memory._replace(first=jnp.where((memory.first > 0).any(), memory.first, losses))


def _scaled(gram: Gram) -> Gram:
    """Divides by the sum of the squared lengths."""
    total = jnp.trace(gram)
    return gram / jnp.where(total > 0, total, 1.0)


def _spectrum(gram: Gram):
    """Returns eigenvalues, vectors as columns, and which values are not zero but for rounding."""
    values, vectors = jnp.linalg.eigh(_scaled(gram))
    least = jnp.max(values) * len(gram) * jnp.finfo(gram.dtype).eps
    scale = jnp.trace(gram)
    real = (values > least) & (scale > 0)
    return values * jnp.where(scale > 0, scale, 1.0), vectors, real
