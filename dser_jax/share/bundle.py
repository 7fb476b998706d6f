"""The folder of a shared model: what it holds, writing it, reading it.

Nothing here runs a network; NumPy and safetensors are all that it needs (see docs/share.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dser_jax.config import HALF_LIFE, Config, side_by_side
from dser_jax.corpora import ATTRS, Scale, as_scale, scale_as_json
from dser_jax.data import Scaler, TurnVectors
from dser_jax.features import Tokenizer, shown_name
from dser_jax.share.parts import (
    Features,
    read_scaler,
    read_tokenizer,
    read_usual,
    read_weights,
    write_scaler,
)
from dser_jax.share.turns import TURNS, read_turns, write_turns
from dser_jax.share.usual import Usual
from dser_jax.stats import ENSEMBLE, STRETCHED, Stretch
from dser_jax.system import (
    DataError,
    check_digests,
    digests_of,
    read_sealed,
    write_sealed,
)

FORMAT, SCHEMA, SCHEMA_OF_SCALES, SCHEMA_STRETCHED = "dser_jax model", 1, 2, 3
"""The second schema is that of models whose attributes differ in their scale, the third of those
that are stretched: an older version would leave the map out."""
CONFIG, SCALER, TOKENIZER = "config.json", "scaler.json", "tokenizer.json"
TEXT_SCALER, USUAL = "text_scaler.json", "usual.json"

Weights = dict[str, np.ndarray]
"""Arrays by the path of their leaf: `params/text/lstm_0/kernel`, `batch_stats/...`."""


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
      tokenizer: What numbers words; None where it reads none.
      members: The networks.
      scores: What it reached, and on what (see `share.export`).
      made_with: Versions, commit and command.
      usual: What its training rows sound like; None for text alone, and of older versions.
      turns: What makes vectors of the turns before; None without a context.
      stretch: The map of each network's predictions, fitted on those of validation, of an ensemble
        on their mean; None where they are left as they are.
      text_features: What it reads of text in the place of words; None where it does not.
      text_scaler: What standardizes these.
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
    usual: Usual | None = None
    turns: TurnVectors | None = None
    stretch: Stretch | None = None
    text_features: Features | None = None
    text_scaler: Scaler | None = None

    @property
    def reads_text(self) -> bool:
        """Whether it reads words, or features of them."""
        return self.tokenizer is not None or self.text_features is not None

    @property
    def layers(self) -> tuple[int, int]:
        """Layers that stand side by side in the features of speech, and in those of text."""
        both = (self.features, self.text_features)
        speech, text = (1 if each is None else each.layers for each in both)
        return speech, text

    @property
    def title(self) -> str:
        """Names a model by what it reads, what it learned from, and its row of the results."""
        return f"{self.inputs} on {self.corpus}: {self.row}"

    @property
    def row(self) -> str:
        """Names the row of a report that it predicts as: of an ensemble, or stretched."""
        several = len(self.members) > 1
        made = [f"{ENSEMBLE} of {len(self.members)}"] * several
        return ", ".join([self.name, *made, *([STRETCHED] if self.stretch is not None else [])])

    @property
    def half_life(self) -> float:
        """The half-life of its context, in turns, if it has one that fades."""
        return float(self.hparams.get("half_life", HALF_LIFE))

    @property
    def inputs(self) -> str:
        """Names of what it reads, as tables show them."""
        if self.features is None:
            return self.config.inputs
        names = zip(side_by_side(self.config.features), self.features.sets, strict=True)
        shown = [shown_name(name, each.source) for name, each in names]
        return self.config.inputs_with("+".join(shown))


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


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Writes the scaler, the tokenizer, the weights, and last the configuration into a folder.

    The configuration has the digests of all files that are in the folder by then.
    """
    from safetensors.numpy import save

    names = weights_names(len(bundle.members))
    for name, member in zip(names, bundle.members, strict=True):
        # safetensors writes the memory of an array, whatever its order.
        weights = {path: np.ascontiguousarray(a) for path, a in member.weights.items()}
        (folder / name).write_bytes(save(weights, {"format": "flax"}))
    if bundle.features is not None and bundle.scaler is not None:
        write_scaler(folder / SCALER, bundle.features, bundle.scaler)
    if bundle.text_features is not None and bundle.text_scaler is not None:
        write_scaler(folder / TEXT_SCALER, bundle.text_features, bundle.text_scaler)
    if bundle.usual is not None:
        (folder / USUAL).write_text(json.dumps(bundle.usual.to_json()) + "\n", "utf-8")
    if bundle.tokenizer is not None:
        (folder / TOKENIZER).write_text(bundle.tokenizer.to_json() + "\n", "utf-8")
    if bundle.turns is not None:
        write_turns(bundle.turns, folder)
    digests = digests_of(folder)
    settings = {
        "format": FORMAT,
        "schema": _schema(bundle),
        "name": bundle.name,
        "corpus": bundle.corpus,
        "scale": scale_as_json(bundle.scale),
        "outputs": list(ATTRS),
        "attributes": list(bundle.attrs),
        "config": bundle.config.to_json(),
        "hparams": bundle.hparams,
        "features": None if bundle.features is None else bundle.features.to_json(),
        "members": [
            {"run": member.run, "seed": member.seed, "weights": name}
            for name, member in zip(names, bundle.members, strict=True)
        ],
        **({} if bundle.stretch is None else {"stretch": bundle.stretch.to_json()}),
        "scores": bundle.scores,
        "made_with": bundle.made_with,
        "files": {name: digests[name] for name in sorted(digests) if name in _checked(bundle)},
    }
    if bundle.text_features is not None:
        settings["text_features"] = bundle.text_features.to_json()
    write_sealed(folder / CONFIG, settings)


def _schema(bundle: Bundle) -> int:
    if bundle.stretch is not None:
        return SCHEMA_STRETCHED
    return SCHEMA_OF_SCALES if isinstance(bundle.scale, Mapping) else SCHEMA


def _checked(bundle: Bundle) -> set[str]:
    """Names the files that are to stay as they are; the model card is for its owner to edit."""
    count = len(bundle.members)
    beside = {SCALER, TEXT_SCALER, USUAL, TOKENIZER, *TURNS}
    return {*beside, *weights_names(count), *program_names(count)}


def read_bundle(folder: Path) -> Bundle:
    """Reads a folder that `dser export` wrote.

    Raises:
      DataError: It is not one, is of another version of the format, or is damaged.
    """
    make = "a folder that `dser export --out` wrote"
    if not is_bundle(folder):
        problem = f"there is no {CONFIG}" if folder.exists() else "there is no such folder"
        raise DataError(problem, file=folder, expected=make)
    settings = read_sealed(folder / CONFIG, f"expected {make}") or {}
    found = f"{settings.get('format')}, schema {settings.get('schema')}"
    known = [
        f"{FORMAT}, schema {schema}" for schema in (SCHEMA, SCHEMA_OF_SCALES, SCHEMA_STRETCHED)
    ]
    if found not in known:
        expected = f"{' or '.join(known)}: {make}, of this version"
        raise DataError(
            "not a model that can be read", file=folder / CONFIG, value=found, expected=expected
        )
    try:
        config = Config.from_json(settings["config"])
        features, of_text = (
            None if settings.get(name) is None else Features.from_json(settings[name])
            for name in ("features", "text_features")
        )
        columns, of_words = (0 if f is None else len(f.columns) for f in (features, of_text))
        words = bool(config.text) and of_text is None
        stretched = settings["schema"] == SCHEMA_STRETCHED
        members, attrs = settings["members"], tuple(settings["attributes"])
        if not members or not attrs or not set(attrs) <= set(ATTRS):
            raise ValueError("it has no networks, or no attributes that networks have")
        files = [*weights_names(len(members))]
        if [member["weights"] for member in members] != files:
            raise ValueError(f"its weights are expected in {', '.join(files)}")
        files += [SCALER] * bool(columns) + [TEXT_SCALER] * bool(of_words) + [TOKENIZER] * words
        files += [USUAL] * (USUAL in settings.get("files", {}))
        files += TURNS if config.context else ()
        if "files" in settings:  # Older versions wrote no digests.
            check_digests(folder, {name: settings["files"][name] for name in files})
        return Bundle(
            name=settings["name"],
            corpus=settings["corpus"],
            scale=as_scale(settings["scale"]),
            attrs=attrs,
            config=config,
            hparams=settings["hparams"],
            features=features,
            scaler=None if features is None else read_scaler(folder / SCALER, columns),
            tokenizer=read_tokenizer(folder / TOKENIZER) if words else None,
            members=tuple(
                Member(m["run"], m["seed"], read_weights(folder / m["weights"])) for m in members
            ),
            scores=settings["scores"],
            made_with=settings["made_with"],
            usual=read_usual(folder / USUAL, columns) if USUAL in files else None,
            turns=read_turns(folder) if config.context else None,
            stretch=Stretch.from_json(settings["stretch"]) if stretched else None,
            text_features=of_text,
            text_scaler=None if of_text is None else read_scaler(folder / TEXT_SCALER, of_words),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"not a model that can be read ({type(error).__name__}: {error})"
        raise DataError(problem, file=folder / CONFIG, expected=make) from error
