"""A network as StableHLO, for whoever has JAX and not this package."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from dser_jax.share.bundle import Bundle, program_names
from dser_jax.share.forward import Inputs, make_forward

PLATFORMS = ("cpu", "cuda")


def export_networks(bundle: Bundle, folder: Path) -> None:
    """Writes each network, weights included, as `jax.export` serializes it.

    `jax.export.deserialize(FILE).call(acoustic, tokens, frames)` predicts `[utt, 3]`: valence,
    arousal and dominance on [-1, 1], for any number of utterances. `acoustic` is float32
    `[utt, step, feat]`, standardized; `tokens` is int32 `[utt, token]`; `frames`, for a model of
    frames alone, is int32 `[utt]`, the steps that are no padding. What a network does not read is
    left out. A model with a context has `context` behind these, float32 `[utt, width]`; if that is
    recurrent, `[utt, turn, width]`, and then `turns`, int32 `[utt]`, those that are no padding.
    Where a model is stretched, so is what its programs give.
    Behind all are `text` and `text_frames`, like `acoustic` and `frames`, of features of the words.
    """
    from jax import export

    (utt,) = export.symbolic_shape("utt")
    given = {}
    if bundle.features is not None:
        shape = (utt, bundle.features.steps, len(bundle.features.columns))
        given["acoustic"] = jax.ShapeDtypeStruct(shape, jnp.float32)
    if bundle.tokenizer is not None:
        given["tokens"] = jax.ShapeDtypeStruct((utt, bundle.config.max_tokens), jnp.int32)
    if bundle.features is not None and bundle.features.kind == "lld":
        given["frames"] = jax.ShapeDtypeStruct((utt,), jnp.int32)
    if bundle.turns is not None:
        recurrent = bundle.config.context == "recurrent"
        kernel = "lstm" if recurrent else "dense"
        width = bundle.members[0].weights[f"params/context/{kernel}/kernel"].shape[0]
        turns = (bundle.config.context_turns,) if recurrent else ()
        given["context"] = jax.ShapeDtypeStruct((utt, *turns, width), jnp.float32)
        if recurrent:
            given["turns"] = jax.ShapeDtypeStruct((utt,), jnp.int32)
    if (text := bundle.text_features) is not None:
        given["text"] = jax.ShapeDtypeStruct((utt, text.steps, len(text.columns)), jnp.float32)
        if text.kind == "lld":
            given["text_frames"] = jax.ShapeDtypeStruct((utt,), jnp.int32)
    words = 0 if bundle.tokenizer is None else bundle.tokenizer.size
    forward = make_forward(bundle.config, words, bundle.layers)
    for name, member in zip(program_names(len(bundle.members)), bundle.members, strict=True):

        def one(*arrays, weights=member.weights):
            batch = {key: each[None] for key, each in zip(given, arrays, strict=True)}
            pred = forward(weights, Inputs(**dict.fromkeys(Inputs._fields) | batch))[0]
            return _stretched(bundle, pred)

        # The network is traced for one utterance, so that only the mapping sees how many there are.
        predict = jax.vmap(one)
        program = export.export(jax.jit(predict), platforms=PLATFORMS)(*given.values())
        (folder / name).write_bytes(bytes(program.serialize()))


def _stretched(bundle: Bundle, pred: Float32[Array, " attr"]) -> Float32[Array, " attr"]:
    if bundle.stretch is None:
        return pred
    centre, scale, level = (jnp.asarray(each, jnp.float32) for each in bundle.stretch)
    return (pred - centre) * scale + level
