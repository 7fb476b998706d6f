"""Layers with Keras' semantics, which differ from Linen's own defaults in nearly every point."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from dser_jax.models.recurrence import Kernels, padding_states, single_step, states
from dser_jax.models.sequences import Steps, before_first
from dser_jax.system import DserError

glorot = nn.initializers.glorot_uniform()


def dense(width: int, name: str, scale: float = 1.0) -> nn.Dense:
    """Makes a dense layer that starts as Keras' does (Glorot uniform, zero bias), times a scale."""

    def start(*given):
        return scale * glorot(*given)

    return nn.Dense(width, kernel_init=glorot if scale == 1 else start, name=name)


def forget_ones(_key, shape: tuple[int], dtype=jnp.float32) -> Float[Array, " gates"]:
    """Makes a bias of zeros but for ones at the forget gate, the second quarter."""
    units = shape[0] // 4
    return jnp.zeros(shape, dtype).at[units : 2 * units].set(1.0)


def orthogonal(key, shape: tuple[int, int], dtype=jnp.float32) -> Float[Array, "units gates"]:
    """Draws a matrix with orthonormal rows, of which there are fewer than columns.

    The same matrix as `nn.initializers.orthogonal` draws from a key, but for rounding. That takes a
    QR decomposition, by far the longest part of making a network; a tall Gaussian matrix is so well
    conditioned that the Cholesky factor of its Gram matrix will do.
    """
    units, gates = shape
    tall = jax.random.normal(key, (gates, units), dtype)
    factor = jnp.linalg.cholesky(tall.T @ tall)
    return jax.scipy.linalg.solve_triangular(factor, tall.T, lower=True)


class LSTM(nn.Module):
    """A long short-term memory layer that returns its whole sequence of states.

    Gates in Keras' order (input, forget, cell, output), all sigmoid, cell and output tanh. There
    are two bias vectors, as in cuDNN's kernel, which the paper used: its parameter counts (Fig. 2)
    come out only with both. They add up, so only the optimizer tells them from one.

    Attributes:
      units: Width of the state.
      half: Whether the recurrent product takes bfloat16, with a float32 state.
    """

    units: int
    half: bool = False

    @nn.compact
    def __call__(self, steps: Steps) -> Steps:
        """Runs over the steps from a zero state; the states take the place of the inputs."""
        gates = 4 * self.units
        kernel = self.param("kernel", glorot, (steps.x.shape[-1], gates))
        recurrent = self.param("recurrent_kernel", orthogonal, (self.units, gates))
        bias = self.param("bias", nn.initializers.zeros, (gates,))
        recurrent_bias = self.param("recurrent_bias", forget_ones, (gates,))
        kernels = Kernels(jnp.asarray(kernel), jnp.asarray(recurrent), bias + recurrent_bias)

        if steps.x.shape[:2] == (1, 1):
            x, padding = single_step(self.project(steps.x, kernels)), steps.padding
            if padding is not None:
                padding = single_step(self.project(padding, kernels))
            return steps._replace(x=x, padding=padding)
        before, after = None, None
        if steps.padding is not None:
            schedule = steps.places.window.schedule
            fill = jnp.int32(steps.fill)
            after = padding_states(steps.padding, kernels, fill, schedule, self.half)
            before = tuple(before_first(each, steps.places) for each in after)
        x = states(steps.x, kernels, before, steps.places.window, self.half)
        return steps._replace(x=x, padding=None if after is None else after[0])

    def project(
        self, x: Float[Array, "*shape feat"], kernels: Kernels
    ) -> Float[Array, "*shape gates"]:
        """Returns what inputs give the gates; of sequences of a single step there is no more."""
        gates = x.reshape(-1, x.shape[-1]) @ kernels.inputs + kernels.bias[None]
        return gates.reshape(*x.shape[:-1], -1)


class Conv(nn.Module):
    """A convolution over steps, stride 1, with bias, as Keras' Conv1D.

    It is a sum of matrix products, one a tap: lanes then are a batch of matrix products, where a
    convolution mapped over its kernels would become a grouped one, which is slow everywhere.

    Attributes:
      units: Channels of the result.
      taps: Steps that a result sees.
      padding: "valid" (taps - 1 steps fewer) or "same" (as many, zeros around, one more behind
        where the number is odd).
    """

    units: int
    taps: int
    padding: str

    @nn.compact
    def __call__(self, x: Float[Array, "utt step feat"]) -> Float[Array, "utt _ units"]:
        """Convolves; too few steps for "valid" are an error.

        Raises:
          DserError: There are fewer steps than taps.
        """
        kernel = self.param("kernel", glorot, (self.taps, x.shape[-1], self.units))
        bias = self.param("bias", nn.initializers.zeros, (self.units,))
        if self.padding == "same":
            before = (self.taps - 1) // 2
            x = jnp.pad(x, ((0, 0), (before, self.taps - 1 - before), (0, 0)))
        steps = x.shape[1] - self.taps + 1
        if steps < 1:
            raise DserError(
                f"a convolution over {self.taps} steps is left with {x.shape[1]} of them; it needs "
                "more features or frames"
            )
        products = (x[:, tap : tap + steps] @ kernel[tap] for tap in range(self.taps))
        return sum(products, start=bias[None, None])


class BatchNorm(nn.Module):
    """Batch normalization over utterances and steps; only real ones enter the statistics.

    Momentum 0.99, epsilon 1e-3 and population variances, as Keras has them.
    """

    @nn.compact
    def __call__(
        self, x: Float[Array, "utt step feat"], real: Bool[Array, " utt #step"], train: bool
    ) -> Float[Array, "utt step feat"]:
        """Normalizes by the batch's statistics in training, by running ones otherwise."""
        norm = nn.BatchNorm(
            use_running_average=not train,
            momentum=0.99,
            epsilon=1e-3,
            use_fast_variance=False,
            name="norm",
        )
        return norm(x, mask=real[..., None] if train else None)


class Dropout(nn.Module):
    """Inverted dropout whose rate is traced, so that lanes of one program can differ in it."""

    @nn.compact
    def __call__(self, x: Array, rate: Float[Array, ""], train: bool) -> Array:
        """Sets a share `rate` of the values to zero in training, and scales up the others."""
        if not train:
            return x
        keep = jax.random.uniform(self.make_rng("dropout"), x.shape) >= rate
        return jnp.where(keep, x / (1.0 - rate), 0.0)
