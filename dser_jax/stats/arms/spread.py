"""Expectations over the standard deviation of a sample, of which noncentral t is made."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

NODES = 96
"""Of Gauss and Legendre's rule, in each part of the range."""


def over_spread(
    freedom: int, knots: Iterable[float] = (), below: float = math.inf
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns a rule for E[function(u); u < below], u = s / sigma, for a sample of normal values.

    u^2 f is chi-squared with f degrees of freedom; of its range 1e-15 is left out on either side.

    Args:
      freedom: f, the size of the sample less 1.
      knots: Values of u about which the function bends sharply; it is to be smooth between them.
      below: Where it ends to count.

    Returns:
      [node] values of u, and [node] weights: the expectation is the sum of weight times function.
    """
    from scipy import special

    tails = (1 - 1e-15, 1e-15)
    low, high = (math.sqrt(float(special.chdtri(freedom, tail)) / freedom) for tail in tails)
    high = min(high, below)
    if high <= low:
        return np.empty(0), np.empty(0)
    edges = [low, *sorted({at for at in (1.0, *knots) if low < at < high}), high]
    at, share = _rule()
    parts = itertools.pairwise(edges)
    nodes, lengths = zip(*((a + (b - a) * at, (b - a) * share) for a, b in parts), strict=True)
    u = np.concatenate(nodes)
    half = freedom / 2
    scale = math.log(2) + half * math.log(half) - math.lgamma(half)
    density = np.exp(scale + (freedom - 1) * np.log(u) - half * u * u)
    return u, density * np.concatenate(lengths)


@cache
def _rule() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns Gauss and Legendre's nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return (nodes + 1) / 2, weights / 2
