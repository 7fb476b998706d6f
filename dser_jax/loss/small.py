"""Problems in three unknowns that weightings by gradients solve, in closed form.

For three tasks each is a handful of cases, all of which are computed and the best of which is
taken: no solver, no library call, no loop, so that thousands of lanes do it in a few kernels.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Square = Float[Array, "three three"]
Vector = Float[Array, " three"]

PAIRS = ((0, 1), (0, 2), (1, 2))


def least_on_simplex(
    square: Square, linear: Vector, among: Bool[Array, " three"] | None = None
) -> Vector:
    """Finds the minimum of ``w' A w / 2 + b' w`` over ``w >= 0, sum(w) = 1``.

    It lies at a corner, on an edge or inside; of equal minima any.

    Args:
      square: A, symmetric and positive semidefinite.
      linear: b.
      among: Which unknowns may be above 0, if not all; where none may, that is not heeded.
    """
    corners = jnp.eye(3, dtype=square.dtype)
    found = [corners[0], corners[1], corners[2]]
    for i, j in PAIRS:
        bend = square[i, i] - 2 * square[i, j] + square[j, j]
        slope = square[j, j] - square[i, j] + linear[j] - linear[i]
        share = jnp.clip(slope / jnp.where(bend > 0, bend, 1.0), 0.0, 1.0)
        found.append(share * corners[i] + (1 - share) * corners[j])
    # Inside: w = e3 + x1 (e1 - e3) + x2 (e2 - e3), at the zero of the gradient.
    ways = corners[:2] - corners[2:]
    inner = _solve_two(ways @ square @ ways.T, -ways @ (square[2] + linear))
    inside = corners[2] + inner @ ways
    found.append(jnp.where((inside >= 0).all(), inside, corners[0]))
    return _best(found, square, linear, among)


def least_above(square: Square, floor: Vector) -> Vector:
    """Finds the minimum of ``v' A v`` over ``v >= floor``, where the floor is not below zero.

    Some of the unknowns lie on the floor, the others where the gradient vanishes; two of them at
    most, since three would be zero.
    """
    found = [floor]
    for k in range(3):
        rest = square[k] @ floor - square[k, k] * floor[k]
        found.append(floor.at[k].set(-rest / jnp.where(square[k, k] > 0, square[k, k], 1.0)))
    for k, m in PAIRS:
        at = jnp.array([k, m])
        fixed = floor.at[at].set(0.0)
        pair = _solve_two(square[at][:, at], -(square @ fixed)[at])
        found.append(floor.at[at].set(pair))
    allowed = [jnp.where((each >= floor).all(), each, floor) for each in found]
    return _best(allowed, square, jnp.zeros_like(floor))


def solve_three(square: Square, right: Vector) -> Vector:
    """Solves ``A x = b`` by cofactors; A is positive definite."""
    rows = [jnp.cross(square[(i + 1) % 3], square[(i + 2) % 3]) for i in range(3)]
    adjugate = jnp.stack(rows, axis=1)
    determinant = square[0] @ rows[0]
    return (adjugate @ right) / determinant


def _solve_two(square: Float[Array, "two two"], right: Float[Array, " two"]):
    """Solves two equations; where they have no single solution, the numbers mean nothing."""
    (a, b), (c, d) = square
    determinant = a * d - b * c
    determinant = jnp.where(determinant != 0, determinant, 1.0)
    return jnp.stack([d * right[0] - b * right[1], a * right[1] - c * right[0]]) / determinant


def _best(
    found: list[Vector],
    square: Square,
    linear: Vector,
    among: Bool[Array, " three"] | None = None,
) -> Vector:
    """Takes the candidate of the least value."""
    tried = jnp.stack(found)
    values = 0.5 * jnp.einsum("ci,ij,cj->c", tried, square, tried) + tried @ linear
    allowed = jnp.isfinite(values)
    if among is not None:
        allowed &= tried @ jnp.where(among, 0.0, 1.0).astype(tried.dtype) == 0
    return tried[jnp.argmin(jnp.where(allowed, values, jnp.inf))]
