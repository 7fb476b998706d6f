"""The other side of `lanes.py`: the same network and training as one would write it in plain JAX.

An LSTM is a `lax.scan` over all steps, padding included, its input's share of the gates computed
in one product before; autodiff makes the gradient, `vmap` the lanes. Parameters have the shapes and
the names of the package's, so the two can be held against each other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from common import WORDS
from flax import linen as nn

from dser_jax.corpora import ATTRS
from dser_jax.loss import multitask_loss
from dser_jax.training import HParams, rmsprop

glorot = nn.initializers.glorot_uniform()


def forget_ones(_key, shape):
    """Makes a bias of zeros but for ones at the forget gate."""
    return jnp.zeros(shape).at[shape[0] // 4 : shape[0] // 2].set(1.0)


class LSTM(nn.Module):
    """An LSTM over all steps; gates as in Keras, two biases as in cuDNN."""

    units: int

    @nn.compact
    def __call__(self, x):
        """Maps [utt, step, feat] to [utt, step, units]."""
        gates = 4 * self.units
        kernel = self.param("kernel", glorot, (x.shape[-1], gates))
        recurrent = self.param(
            "recurrent_kernel", nn.initializers.orthogonal(), (self.units, gates)
        )
        bias = self.param("bias", nn.initializers.zeros, (gates,))
        recurrent_bias = self.param("recurrent_bias", forget_ones, (gates,))

        def step(carry, inputs):
            state, cell = carry
            i, f, g, o = jnp.split(inputs + state @ recurrent, 4, axis=-1)
            cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
            state = jax.nn.sigmoid(o) * jnp.tanh(cell)
            return (state, cell), state

        projected = jnp.einsum("utf,fg->tug", x, kernel) + (bias + recurrent_bias)[None, None]
        zeros = jnp.zeros((x.shape[0], self.units))
        return jax.lax.scan(step, (zeros, zeros), projected)[1].swapaxes(0, 1)


class Acoustic(nn.Module):
    """Batch normalization and LSTM layers, all their steps side by side."""

    units: int
    layers: int

    @nn.compact
    def __call__(self, x, train: bool):
        """Maps [utt, step, feat] to [utt, step x units]."""
        norm = nn.BatchNorm(not train, momentum=0.99, epsilon=1e-3, use_fast_variance=False)
        x = norm(x)
        for layer in range(self.layers):
            x = LSTM(self.units, name=f"lstm_{layer}")(x)
        return x.reshape(len(x), -1)


class Text(nn.Module):
    """An embedding, LSTM layers, a dense layer on the last state."""

    units: int
    layers: int
    width: int
    dense: int

    @nn.compact
    def __call__(self, tokens):
        """Maps [utt, token] to [utt, dense]."""
        x = nn.Embed(WORDS, self.width, name="embedding")(tokens)
        for layer in range(self.layers):
            x = LSTM(self.units, name=f"lstm_{layer}")(x)
        return nn.Dense(self.dense, name="dense")(x[:, -1])


class Network(nn.Module):
    """Speech, or speech and text with two dense layers on top; a head an attribute."""

    units: int
    layers: int
    width: int
    dense: int
    fusion: tuple[int, ...]
    text: bool

    @nn.compact
    def __call__(self, speech, tokens, hparams: HParams, train: bool):
        """Maps speech [utt, step, feat] and tokens [utt, token] to predictions [utt, attr]."""

        def dropout(x, rate):
            if not train:
                return x
            keep = jax.random.uniform(self.make_rng("dropout"), x.shape) >= rate
            return jnp.where(keep, x / (1 - rate), 0.0)

        x = Acoustic(self.units, self.layers, name="acoustic")(speech, train)
        x = dropout(x, hparams.acoustic_dropout)
        if self.text:
            text = Text(self.units, self.layers, self.width, self.dense, name="text")
            encoded = text(tokens)
            x = jnp.concatenate([x, dropout(encoded, hparams.text_dropout)], -1)
            for i, width in enumerate(self.fusion):
                x = nn.relu(nn.Dense(width, name=f"fusion_{i}")(x))
            x = dropout(x, hparams.fusion_dropout)
        return jnp.concatenate([nn.Dense(1, name=attr)(x) for attr in ATTRS], -1)


def make_network(config) -> Network:
    """Makes the network that a configuration of LSTM halves names."""
    return Network(
        units=config.units,
        layers=config.layers,
        width=config.embedding_dim,
        dense=config.text_dense,
        fusion=config.fusion,
        text=config.text is not None,
    )


class Plain(NamedTuple):
    """The compiled functions: `init` of one run, and `advance` of all lanes by an epoch."""

    init: Any
    advance: Any


def compile_plain(config, data, lanes: int) -> Plain:
    """Compiles `vmap` over a plain epoch; no evaluation, no early stopping."""
    network = make_network(config)
    size = config.batch_size
    steps = len(data.train) // size

    def inputs(data, rows):
        tokens = None if data.tokens is None else data.tokens[rows]
        return data.acoustic[rows], tokens

    def init(key, data):
        rows = data.train[:1]
        values = network.init(key, *inputs(data, rows), HParams(), False)
        params = values["params"]
        return params, values["batch_stats"], rmsprop(1.0).init(params)

    def loss_of(params, stats, hparams, data, rows, key):
        pred, changed = network.apply(
            {"params": params, "batch_stats": stats},
            *inputs(data, rows),
            hparams,
            True,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        known = data.known[rows].astype(jnp.float32)
        loss = multitask_loss(data.gold[rows], pred, known, hparams.loss_weights)
        return loss, changed["batch_stats"]

    def epoch(hparams, state, key, data):
        optimizer = rmsprop(hparams.learning_rate)
        order = jax.random.permutation(key, data.train)[: steps * size]

        def step(state, inputs):
            params, stats, memory = state
            rows, key = inputs
            (loss, stats), gradient = jax.value_and_grad(loss_of, has_aux=True)(
                params, stats, hparams, data, rows, key
            )
            updates, memory = optimizer.update(gradient, memory)
            return (optax.apply_updates(params, updates), stats, memory), loss

        keys = jax.random.split(jax.random.fold_in(key, 1), steps)
        state, losses = jax.lax.scan(step, state, (order.reshape(steps, size), keys))
        return state, losses.mean()

    def stacked(tree):
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((lanes, *x.shape), x.dtype), tree)

    shapes = jax.eval_shape(lambda: data)
    key = jax.eval_shape(jax.random.key, 0)
    states = stacked(jax.eval_shape(init, key, shapes))
    hparams = stacked(jax.eval_shape(HParams))
    return Plain(
        jax.jit(init).lower(key, shapes).compile(),
        jax.jit(jax.vmap(epoch, in_axes=(0, 0, 0, None)), donate_argnums=1)
        .lower(hparams, states, stacked(key), shapes)
        .compile(),
    )


class PlainLanes:
    """Runs in lanes of the plain side."""

    def __init__(self, config, data, lanes: int) -> None:
        init, self.advance = compile_plain(config, data, lanes)
        self.data = jax.device_put(data)
        self.keys = jax.random.split(jax.random.key(0), lanes)
        each = [init(key, self.data) for key in self.keys]
        self.state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
        self.hparams = jax.tree.map(lambda x: jnp.stack([jnp.asarray(x)] * lanes), HParams())
        self.state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(self.state)) / lanes
        self.lanes = lanes

    def epoch(self) -> np.ndarray:
        """Advances all lanes by an epoch; returns the mean loss of each."""
        self.state, losses = self.advance(self.hparams, self.state, self.keys, self.data)
        return np.asarray(losses)

    def lane_bytes(self) -> float | None:
        """Returns what a lane takes in memory while it trains; None where XLA does not tell."""
        analysis = self.advance.memory_analysis()
        if analysis is None:
            return None
        return self.state_bytes + analysis.temp_size_in_bytes / self.lanes
