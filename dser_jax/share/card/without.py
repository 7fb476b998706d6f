"""How a network is run without this package, for the model card."""

from __future__ import annotations

from dser_jax.share.bundle import (
    SCALER,
    TEXT_SCALER,
    TOKENIZER,
    Bundle,
    program_names,
    weights_names,
)


def without(bundle: Bundle) -> str:
    """Shows how a program is called, and with what."""
    names = program_names(len(bundle.members))
    lines, arguments, said = ["import jax, numpy as np"], [], []
    if bundle.features is not None:
        steps, width = bundle.features.steps, len(bundle.features.columns)
        lines = ["import json, jax, numpy as np", f'scaler = json.load(open("{SCALER}"))']
        lines += ['acoustic = (features - scaler["mean"]) / scaler["scale"]']
        arguments.append("np.float32(acoustic)")
        padded = ", padded in front with zeros once they are scaled" if steps > 1 else ""
        said.append(
            f"`features` are `[utterance, {steps}, {width}]`, as `{SCALER}` names them{padded}."
        )
    if (tokenizer := bundle.tokenizer) is not None:
        arguments.append("np.int32(tokens)")
        said.append(
            f"`tokens` are `[utterance, {bundle.config.max_tokens}]`: the place of each word in "
            f"`{TOKENIZER}`, counted from 1, with zeros in front."
            + (" Typographic signs in a text are first written as ASCII does." * tokenizer.folds)
        )
    if bundle.features is not None and bundle.features.kind == "lld":
        arguments.append("np.int32(frames)")
        said.append("`frames` are `[utterance]`: how many of the steps are no padding.")
    if bundle.turns is not None:
        arguments += ["np.float32(context)"]
        arguments += ["np.int32(turns)"] if bundle.config.context == "recurrent" else []
        said.append("`context` is what dser_jax makes of the turns before.")
    if (text := bundle.text_features) is not None:
        shape = f"`[utterance, {text.steps}, {len(text.columns)}]`"
        arguments.append("np.float32(text)")
        said.append(
            f"`text` is {shape}: the features `{text.name}`, scaled as `{TEXT_SCALER}` has it."
        )
        if text.kind == "lld":
            arguments.append("np.int32(text_frames)")
            said.append("`text_frames` are `[utterance]`: how many of its steps are no padding.")
    lines += [f'program = open("{names[0]}", "rb").read()']
    lines += ["network = jax.export.deserialize(bytearray(program))"]
    lines += [f"print(network.call({', '.join(arguments)}))  # [utterance, 3], on [-1, 1]"]
    which = (
        f"`{names[0]}` is the network"
        if len(names) == 1
        else f"`{names[0]}` and so on are the networks"
    )
    code = "\n".join(lines)
    return (
        f"{which} with the weights, for `jax.export` on CPU and CUDA:\n\n```python\n{code}\n```\n\n"
        f"{' '.join(said)} The outputs are valence, arousal and dominance. The weights alone are "
        f"in `{weights_names(len(names))[0]}`."
    )
