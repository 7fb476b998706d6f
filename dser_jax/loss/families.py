"""All weightings by name, and those of a family as one, so that a sweep over them is lanes.

A family is a weighting whose method is a traced number: `METHODS` of it, in that order. What they
compute besides the network is three numbers each, so that all are computed and one is taken.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from dser_jax.loss import by_gradients, by_losses, by_steps
from dser_jax.loss.by_gradients import NORMS, Gram, Norms
from dser_jax.loss.weighting import Weighting, weighted_sum

Losses = Float[Array, " attr"]
Number = Float[Array, ""]
Which = Int[Array, ""]

METHODS = {
    "losses": ("fixed", "random", "uncertainty", "dwa", "geometric", "imtl_l", "stch"),
    "gradients": (
        "sum",
        "pcgrad",
        "cagrad",
        "mgda",
        "nash",
        "aligned",
        "imtl_g",
        "upgrad",
        "gradnorm",
    ),
}
"""By family, the methods whose numbers are `HParams.method`."""


def by_any_loss(
    learned: Losses,
    memory: Any,
    losses: Losses,
    loss_weights: Losses,
    *,
    key: PRNGKeyArray,
    setting: Number,
    method: Which,
) -> Number:
    """Computes what the method says, of those that look at losses alone."""
    given = (learned, memory, losses, loss_weights)
    tried = [
        weighted_sum(*given),
        by_losses.random(*given, key=key),
        by_losses.uncertainty(*given),
        by_losses.dwa(*given, setting=setting),
        by_losses.geometric(*given),
        by_losses.imtl_l(*given),
        by_losses.stch(*given, setting=setting),
    ]
    return _taken(tried, method)


def by_any_gradient(
    learned: Any,
    memory: Norms,
    losses: Losses,
    loss_weights: Losses,
    *,
    key: PRNGKeyArray,
    setting: Number,
    method: Which,
    gram: Gram,
) -> Number:
    """Computes the sum by the shares of the method, of those that look at gradients."""
    tried = [shares(memory, gram, key, setting) for shares in _SHARES.values()]
    return _given(_taken(tried, method), losses, loss_weights)


def _taken(tried: list[Array], method: Which) -> Array:
    """Takes one; a product with 0 would let a NaN of the others through."""
    return jax.lax.select_n(method, *tried)


def _given(shares: Losses, losses: Losses, loss_weights: Losses) -> Number:
    return (jax.lax.stop_gradient(shares) * loss_weights * losses).sum()


def _alone(name: str) -> Weighting:
    """Makes a weighting of one method that looks at gradients."""
    remembers = name == "gradnorm"

    def combine(learned, memory, losses, loss_weights, *, gram, key=None, setting=None):
        return _given(_SHARES[name](memory, gram, key, setting), losses, loss_weights)

    return Weighting(
        combine,
        memory=NORMS if remembers else (),
        remember=by_gradients.first_losses if remembers else None,
        update=_next_norms if remembers else None,
        needs=("gram", *_ALSO.get(name, ())),
    )


_ALSO = {"pcgrad": ("key",), "cagrad": ("setting",), "gradnorm": ("setting",)}


def _next_norms(
    memory: Norms, losses: Losses, loss_weights: Losses, *, setting, gram, **_
) -> Norms:
    force = jnp.where(setting > 0, setting, by_gradients.FORCE)
    return by_gradients.next_norms(memory, losses, gram, force)


_SHARES = {
    "sum": lambda memory, gram, key, setting: jnp.ones(3, gram.dtype),
    "pcgrad": lambda memory, gram, key, setting: by_gradients.pcgrad(gram, key),
    "cagrad": lambda memory, gram, key, setting: by_gradients.cagrad(
        gram, jnp.where(setting > 0, setting, by_gradients.RADIUS)
    ),
    "mgda": lambda memory, gram, key, setting: by_gradients.mgda(gram),
    "nash": lambda memory, gram, key, setting: by_gradients.nash(gram),
    "aligned": lambda memory, gram, key, setting: by_gradients.aligned(gram),
    "imtl_g": lambda memory, gram, key, setting: by_gradients.imtl_g(gram),
    "upgrad": lambda memory, gram, key, setting: by_gradients.upgrad(gram),
    "gradnorm": lambda memory, gram, key, setting: by_gradients.gradnorm(memory),
}

WEIGHTINGS: dict[str, Weighting] = {
    "fixed": Weighting(weighted_sum),
    "random": Weighting(by_losses.random, needs=("key",)),
    "uncertainty": Weighting(by_losses.uncertainty, learned=by_losses.SCALES),
    "dwa": Weighting(
        by_losses.dwa,
        memory=by_losses.TWO_EPOCHS,
        remember=by_losses.next_two,
        needs=("setting",),
    ),
    "geometric": Weighting(by_losses.geometric),
    "imtl_l": Weighting(by_losses.imtl_l, learned=by_losses.SCALES),
    "stch": Weighting(by_losses.stch, needs=("setting",)),
    "famo": Weighting(
        by_steps.famo,
        memory=by_steps.LOGITS,
        update=by_steps.next_logits,
        needs=("setting", "after"),
    ),
    **{name: _alone(name) for name in METHODS["gradients"][1:]},
    "losses": Weighting(
        by_any_loss,
        learned=by_losses.SCALES,
        memory=by_losses.TWO_EPOCHS,
        remember=by_losses.next_two,
        needs=("key", "setting", "method"),
    ),
    "gradients": Weighting(
        by_any_gradient,
        memory=NORMS,
        remember=by_gradients.first_losses,
        update=lambda *given, method, **more: _next_norms(*given, **more),
        needs=("key", "setting", "method", "gram"),
    ),
}
"""What `Config.weighting` names; the paper's is fixed. Add your own."""


class Method(NamedTuple):
    """A method: its family's program and its number there."""

    weighting: str
    number: int


def methods() -> dict[str, Method]:
    """Lists all methods: name -> the weighting of which it is lanes, and its number there."""
    found = {
        name: Method(family, number)
        for family, names in METHODS.items()
        for number, name in enumerate(names)
    }
    return {**found, "famo": Method("famo", 0)}
