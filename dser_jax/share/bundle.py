"""The folder of a shared model: what it holds, writing it, reading it.

Nothing here runs a network; NumPy and safetensors are all that it needs (see docs/share.md).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.config import Config
from dser_jax.corpora import ATTRS, Scale, as_scale, scale_as_json
from dser_jax.data import Scaler
from dser_jax.features import Tokenizer, shown_name
from dser_jax.system import DataError, DserError

FORMAT, SCHEMA, SCHEMA_OF_SCALES = "dser_jax model", 1, 2
"""The second schema is that of models whose attributes differ in their scale."""
CONFIG, SCALER, TOKENIZER = "config.json", "scaler.json", "tokenizer.json"

Weights = dict[str, np.ndarray]
"""Arrays by the path of their leaf: `params/text/lstm_0/kernel`, `batch_stats/...`."""


@dataclass(frozen=True)
class Features:
    """The acoustic features that a model reads.

    Attributes:
      name: As the prepared data set had them, e.g. "gemaps_hsf".
      kind: "hsf" for one row an utterance, "lld" for its frames.
      columns: Their names.
      source: What computed them, its version and settings.
      steps: Steps that the network sees; 1 for functionals. Shorter utterances are padded in front.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    source: str
    steps: int


@dataclass(frozen=True)
class Member:
    """One trained network.

    Attributes:
      run: Its id in the journal.
      seed: The number that it started from.
      weights: Those of its best epoch, float32.
    """

    run: str
    seed: int
    weights: Weights


@dataclass(frozen=True)
class Bundle:
    """A model, ready to be run or written: one network, or several that differ in seed alone.

    Attributes:
      name: The row of the results table that it comes from.
      corpus: The corpus it was trained on.
      scale: Lowest and highest label of that corpus, of all attributes or by attribute.
      attrs: Attributes that it was trained on.
      config: Static settings.
      hparams: Traced settings, as a journal has them.
      features: What it reads of speech; None for text alone.
      scaler: What standardizes these; None for text alone.
      tokenizer: What numbers words; None for speech alone.
      members: The networks.
      scores: What it reached, and on what (see `share.export`).
      made_with: Versions, commit and command.
    """

    name: str
    corpus: str
    scale: Scale
    attrs: tuple[str, ...]
    config: Config
    hparams: dict[str, Any]
    features: Features | None
    scaler: Scaler | None
    tokenizer: Tokenizer | None
    members: tuple[Member, ...]
    scores: dict[str, Any]
    made_with: dict[str, Any]

    @property
    def title(self) -> str:
        """Names a model by what it reads, what it learned from, and its row of the results."""
        return f"{self.inputs} on {self.corpus}: {self.name}"

    @property
    def inputs(self) -> str:
        """Names of what it reads, as tables show them."""
        source = "" if self.features is None else self.features.source
        return self.config.inputs_with(shown_name(self.config.features, source))


def is_bundle(folder: Path) -> bool:
    """Tells whether a folder looks like a shared model."""
    return (folder / CONFIG).is_file()


def weights_names(count: int) -> list[str]:
    """Returns the names of the files with the weights of so many networks."""
    return _names(count, "safetensors")


def program_names(count: int) -> list[str]:
    """Returns the names of the files with so many networks as programs, weights included."""
    return _names(count, "stablehlo")


def _names(count: int, suffix: str) -> list[str]:
    if count == 1:
        return [f"model.{suffix}"]
    width = len(str(count - 1))
    return [f"model-{number:0{width}d}.{suffix}" for number in range(count)]


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Opens a folder to write into, which gets its name once the block has ended well.

    Raises:
      DserError: There is something of this name already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DserError(f"{folder}: there already; export to another folder, or remove this one")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise DserError(f"{folder}: cannot write: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Writes the configuration, the scaler, the tokenizer and the weights into a folder."""
    from safetensors.numpy import save

    members = []
    for name, member in zip(weights_names(len(bundle.members)), bundle.members, strict=True):
        # safetensors writes the memory of an array, whatever its order.
        weights = {path: np.ascontiguousarray(a) for path, a in member.weights.items()}
        (folder / name).write_bytes(save(weights, {"format": "flax"}))
        members.append({"run": member.run, "seed": member.seed, "weights": name})
    features = None if bundle.features is None else dataclasses.asdict(bundle.features)
    settings = {
        "format": FORMAT,
        "schema": SCHEMA_OF_SCALES if isinstance(bundle.scale, Mapping) else SCHEMA,
        "name": bundle.name,
        "corpus": bundle.corpus,
        "scale": scale_as_json(bundle.scale),
        "outputs": list(ATTRS),
        "attributes": list(bundle.attrs),
        "config": bundle.config.to_json(),
        "hparams": bundle.hparams,
        "features": features,
        "members": members,
        "scores": bundle.scores,
        "made_with": bundle.made_with,
    }
    _write_json(folder / CONFIG, settings)
    if bundle.features is not None and bundle.scaler is not None:
        scaler = {
            "columns": bundle.features.columns,
            "mean": bundle.scaler.mean.tolist(),
            "scale": bundle.scaler.scale.tolist(),
        }
        _write_json(folder / SCALER, scaler)
    if bundle.tokenizer is not None:
        (folder / TOKENIZER).write_text(bundle.tokenizer.to_json() + "\n", "utf-8")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_bundle(folder: Path) -> Bundle:
    """Reads a folder that `dser export` wrote.

    Raises:
      DataError: It is not one, is of another version of the format, or is damaged.
    """
    make = "a folder that `dser export --out` wrote"
    if not is_bundle(folder):
        problem = f"there is no {CONFIG}" if folder.exists() else "there is no such folder"
        raise DataError(problem, file=folder, expected=make)
    settings = _read_json(folder / CONFIG)
    found = f"{settings.get('format')}, schema {settings.get('schema')}"
    known = [f"{FORMAT}, schema {schema}" for schema in (SCHEMA, SCHEMA_OF_SCALES)]
    if found not in known:
        expected = f"{' or '.join(known)}: {make}, of this version"
        raise DataError(
            "not a model that can be read", file=folder / CONFIG, value=found, expected=expected
        )
    try:
        config = Config.from_json(settings["config"])
        features = settings["features"]
        return Bundle(
            name=settings["name"],
            corpus=settings["corpus"],
            scale=as_scale(settings["scale"]),
            attrs=tuple(settings["attributes"]),
            config=config,
            hparams=settings["hparams"],
            features=None if features is None else _features(**features),
            scaler=None if features is None else _read_scaler(folder / SCALER),
            tokenizer=_read_tokenizer(folder / TOKENIZER) if config.text else None,
            members=tuple(
                Member(m["run"], m["seed"], _read_weights(folder / m["weights"]))
                for m in settings["members"]
            ),
            scores=settings["scores"],
            made_with=settings["made_with"],
        )
    except (KeyError, TypeError, ValueError) as error:
        problem = f"not a model that can be read ({type(error).__name__}: {error})"
        raise DataError(problem, file=folder / CONFIG, expected=make) from error


def _features(name: str, kind: str, columns: Sequence[str], source: str, steps: int) -> Features:
    return Features(name, kind, tuple(columns), source, steps)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", file=path, expected="JSON") from error
    if not isinstance(value, dict):
        raise DataError("not what was written", file=path, expected="a JSON object")
    return value


def _read_scaler(path: Path) -> Scaler:
    values = _read_json(path)
    return Scaler(np.array(values["mean"], float), np.array(values["scale"], float))


def _read_tokenizer(path: Path) -> Tokenizer:
    found = _read_json(path)
    return Tokenizer(tuple(found["words"]), bool(found.get("folds", False)))


def _read_weights(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"cannot be read ({error})", file=path, expected="weights as safetensors"
        ) from error
