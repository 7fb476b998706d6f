"""What names a run: all that determines it, as plain values, and a hash of them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dser_jax.config import LATER
from dser_jax.system import DserError

if TYPE_CHECKING:
    from dser_jax.config import Config
    from dser_jax.plan.runs import RunSpec
    from dser_jax.training import HParams


def with_later(hparams: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the traced settings of a row, those included that it leaves out."""
    return {**LATER, **hparams}


def run_of(config: Config, spec: RunSpec, fingerprint: str) -> str:
    """Names a run by what determines it: settings, seed and data."""
    identity = {
        "config": config.to_json(),
        "hparams": hparams_json(spec.hparams),
        "seed": spec.seed,
        "data": fingerprint,
    }
    return run_id(identity)


def run_id(identity: Mapping[str, Any]) -> str:
    """Names a run by what determines it, so that the same run is never done twice.

    Args:
      identity: Plain values, lists and dictionaries. Equal identities have equal names: neither the
        order of keys, nor 1 or 1.0, nor a list or a tuple makes a difference. A float32 of 0.1 is
        another number than 0.1, though: give Python's numbers.

    Returns:
      The first 16 hexadecimal digits of the SHA-256 of the canonical JSON.
    """
    return hashlib.sha256(canonical(identity).encode()).hexdigest()[:16]


def hparams_json(hparams: HParams) -> dict[str, Any]:
    """Returns traced settings as Python numbers: 0.1, not float32's 0.10000000149."""
    from dser_jax.training import told

    for name, value in hparams._asdict().items():
        if not np.isfinite(value).all():
            raise DserError(f"{name} is {value}; expected a finite number")
    return {name: _short(np.asarray(value).tolist()) for name, value in told(hparams).items()}


def _short(value):
    if isinstance(value, list):
        return [_short(v) for v in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def canonical(value: Any) -> str:
    """Returns the one JSON text of a value: equal values, equal texts."""
    return json.dumps(_even(plain(value)), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _even(value):
    """Makes floats that are whole numbers integers."""
    if isinstance(value, dict):
        return {key: _even(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_even(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def plain(value: Any) -> Any:
    """Turns a value into what JSON holds: NaN and infinity become null, arrays become lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [
            plain(entry)
            for entry in (sorted(value) if isinstance(value, set | frozenset) else value)
        ]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a journal holds plain values, not {type(value).__name__}: {value!r}")
