"""What the manifest says of features besides their kind, columns, source and checksum."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

SPEECH, TEXT = "speech", "text"
"""What features have under `half`; those that have nothing there are of speech."""

_BESIDE: dict[str, tuple[type, ...]] = {"half": (str,), "layers": (int,), "encoder": (dict,)}
"""The entries that only features of text have, of several layers, of an encoder."""
_ENCODER: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "sha256": (str,),
    "settings": (str, type(None)),
    "revision": (str, type(None)),
    "layers": (list,),
    "pool": (str,),
}


def beside(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the half, the layers and the encoder of an entry, those of them that it has."""
    return {key: entry[key] for key in _BESIDE if key in entry}


def alike(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Tells whether two entries are of one half, and of the same layers of the same encoder.

    Wherever the encoder's folder lies, and whatever it is called.
    """
    return _identity(first) == _identity(second)


def _identity(entry: Mapping[str, Any]) -> tuple:
    encoder = entry.get("encoder")
    weights = encoder and (encoder["sha256"], encoder["layers"], encoder["pool"])
    return entry.get("half", SPEECH), entry.get("layers", 1), weights


def described(entry: Mapping[str, Any]) -> str:
    """Says which half reads features, and which layers of which encoder they are, if they are."""
    half, layers = entry.get("half", SPEECH), entry.get("layers", 1)
    encoder = entry.get("encoder")
    if encoder is None:
        return f"of {half}" + (f", {layers} layers" if layers > 1 else "")
    numbers = ", ".join(map(str, encoder["layers"]))
    weights = encoder["sha256"][:12]
    return f"of {half}, layers {numbers} of {encoder['model']} ({weights}), pool {encoder['pool']}"


def as_options(half: str, encoder: Mapping[str, Any]) -> str:
    """Writes an encoder as `dser prepare` is asked for it."""
    layers = ",".join(map(str, encoder["layers"]))
    model = shlex.quote(f"{half}={encoder['model']}")
    return f"--encode {model} --encode-layers {layers} --encode-pool {encoder['pool']}"


def amiss_beside(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Yields what is wrong with the half, the layers and the encoder of an entry."""
    for key, wanted in _BESIDE.items():
        if key in entry and not is_a(entry[key], wanted):
            yield f"{name} has {shown(entry[key])} under {key}"
    if entry.get("half", SPEECH) not in (SPEECH, TEXT):
        yield f"{name} has {shown(entry['half'])} under half"
    layers = entry.get("layers", 1)
    if layers < 1 or len(entry["columns"]) % layers:
        yield f"{name} has {shown(layers)} under layers, and {len(entry['columns'])} columns"
    encoder = entry.get("encoder")
    if encoder is None:
        return
    for key, wanted in _ENCODER.items():
        if not is_a(encoder.get(key), wanted):
            yield f"{name} has an encoder with {shown(encoder.get(key))} under {key}"
    if not all(is_a(layer, (int,)) for layer in encoder["layers"]):
        yield f"{name} has an encoder with the layers {shown(encoder['layers'])}"


def is_a(value: object, types: tuple[type, ...]) -> bool:
    """Tells whether a value is of a type; a flag is no number."""
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def shown(value: object) -> str:
    """Writes a value as a message has room for it."""
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
