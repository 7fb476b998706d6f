"""The weightings of the multitask loss that the paper compares; plain numbers, no JAX."""

from __future__ import annotations

from dser_jax.corpora import ATTRS


def no_weights() -> tuple[float, float, float]:
    """Multitask loss without parameters (eq. 4)."""
    return (1.0, 1.0, 1.0)


def two_weights(alpha: float, beta: float) -> tuple[float, float, float]:
    """Multitask loss with two parameters (eq. 5); the dominance weight may come out negative."""
    return (alpha, beta, round(1.0 - alpha - beta, 10))


def three_weights(alpha: float, beta: float, gamma: float) -> tuple[float, float, float]:
    """Multitask loss with three parameters (eq. 6)."""
    return (alpha, beta, gamma)


def single_task(attr: str) -> tuple[float, float, float]:
    """The loss of one attribute alone (Section V)."""
    if attr not in ATTRS:
        raise ValueError(f"attr is {attr!r}; expected one of {ATTRS}")
    valence, arousal, dominance = (float(a == attr) for a in ATTRS)
    return (valence, arousal, dominance)
