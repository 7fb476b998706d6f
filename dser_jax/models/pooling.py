"""From several layers to one, and from many steps to one vector an utterance."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from dser_jax.models.layers import dense

SMALLEST = 1e-5
"""Added to variances before their root is taken, whose slope has no bound at zero."""


class LayerMix(nn.Module):
    """A mean of an encoder's layers with learned weights, and a learned scale (Peters et al. 2018).

    All layers weigh the same at first.

    Attributes:
      layers: How many stand side by side in the features, of one width, one layer after another.
    """

    layers: int

    @nn.compact
    def __call__(self, x: Float[Array, "utt step all"]) -> Float[Array, "utt step feat"]:
        """Returns the mean of the layers."""
        weights = nn.softmax(self.param("weights", nn.initializers.zeros, (self.layers,)))
        scale = self.param("scale", nn.initializers.ones, (1,))
        apart = x.reshape(*x.shape[:-1], self.layers, -1)
        return jnp.einsum("l,usld->usd", weights, apart) * scale[0]


def statistics(
    x: Float[Array, "utt step feat"], share: Float[Array, "utt step"]
) -> Float[Array, "utt twice"]:
    """Returns weighted means and deviations over steps, side by side.

    Args:
      x: Steps.
      share: The weight of each step; those of an utterance add up to 1, or to 0 where it has none.
    """
    mean = (share[..., None] * x).sum(1)
    spread = (share[..., None] * jnp.square(x - mean[:, None])).sum(1)
    return jnp.concatenate([mean, jnp.sqrt(spread + SMALLEST)], axis=-1)


def even(real: Bool[Array, "utt step"]) -> Float[Array, "utt step"]:
    """Returns equal weights for all real steps."""
    share = real.astype(jnp.float32)
    return share / jnp.maximum(share.sum(1, keepdims=True), 1.0)


class AttentiveStatistics(nn.Module):
    """Means and deviations over steps that an attention weighs (Okabe et al. 2018).

    Attributes:
      units: Width of the layer that scores a step.
    """

    units: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "utt step feat"], real: Bool[Array, "utt step"]
    ) -> Float[Array, "utt twice"]:
        """Pools the real steps; of an utterance without any it is what zeros would give."""
        score = dense(1, "score")(nn.tanh(dense(self.units, "attention")(x)))[..., 0]
        share = nn.softmax(jnp.where(real, score, -1e9)) * real.astype(jnp.float32)
        return statistics(x, share)


class NormedDense(nn.Module):
    """Dense layers, each normalized (Ba et al. 2016) before its ReLU.

    Attributes:
      units, layers: Width and number of the layers.
    """

    units: int
    layers: int

    @nn.compact
    def __call__(self, x: Float[Array, "utt feat"]) -> Float[Array, "utt units"]:
        """Encodes vectors."""
        for layer in range(self.layers):
            x = dense(self.units, f"dense_{layer}")(x)
            x = nn.relu(
                nn.LayerNorm(epsilon=1e-5, use_fast_variance=False, name=f"norm_{layer}")(x)
            )
        return x
