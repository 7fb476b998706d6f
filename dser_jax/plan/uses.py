"""Whether a network has a use for what is asked of its runs: nothing is asked for in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dser_jax.config import LATER, Config
from dser_jax.data import (
    Prepared,
    feature_name,
    groups_of,
    kinds_of,
    need_dialogues,
    reads_features_of_text,
)
from dser_jax.plan.runs import RunSpec
from dser_jax.system import DserError
from dser_jax.training import decays, named, told


def check_uses(
    config: Config, runs: Sequence[RunSpec], searched: Mapping[str, Any], prepared: Prepared
) -> None:
    """Refuses settings that would change nothing.

    Args:
      config: Of the networks.
      runs: What is trained.
      searched: What a search in their place says of itself; empty without one.
      prepared: The data set.

    Raises:
      DserError: Runs, or a search, have a setting that their networks have no use for.
    """
    asked = _asked(runs, searched)
    for field, why in _useless(config, prepared):
        if field in asked:
            raise DserError(f"{asked[field]}: {why}")
    if config.context_turns != Config.context_turns and config.context != "recurrent":
        raise DserError("--context-turns is of a recurrent context; --context recurrent has one")
    if config.context:
        _check_context(config, prepared)
    if config.mix_layers and not _layers(config, prepared):
        beside = " that stands alone" if "+" in config.features else ""
        raise DserError(
            f"--mix-layers: none of the features{beside} is of several layers of an encoder"
        )


def _asked(runs: Sequence[RunSpec], searched: Mapping[str, Any]) -> dict[str, str]:
    """Returns which settings are not the default, and of which row, or that a search has them."""
    found: dict[str, str] = {}
    for spec in runs:
        for field in LATER.keys() & told(spec.hparams).keys():
            found.setdefault(field, repr(spec.name))
    for part in ("ranges", "fixed"):  # A search, too, leaves out of the latter what is usual.
        found |= dict.fromkeys(LATER.keys() & searched.get(part, {}).keys(), "search")
    return found


def _useless(config: Config, prepared: Prepared) -> Iterator[tuple[str, str]]:
    """Yields the settings that these networks have no use for, and why."""
    if not decays(named(config)[2]):
        yield (
            "weight_decay",
            f"the optimizer {config.optimizer} has no weight decay; --optimizer adamw has",
        )
    weighting = named(config)[1]
    for field, need, what in (
        ("weighting_setting", "setting", "no setting of its own"),
        ("method", "method", "no methods to choose from"),
    ):
        if need not in weighting.needs:
            yield field, f"the weighting {config.weighting} has {what}"
    if not config.fades:
        yield (
            "half_life",
            "a half-life is of the turns before; --context all, same or both has them",
        )
    if not (config.acoustic and config.text):
        yield (
            "modality_dropout",
            "modality dropout takes away one half of two, and this network has one",
        )
    if config.text is None or reads_features_of_text(prepared, config):
        yield "embedding_dropout", "embedding dropout takes away words, and this network reads none"


def _check_context(config: Config, prepared: Prepared) -> None:
    """Refuses a context that no turn of the data set has: it would be all zeros."""
    need_dialogues(prepared)
    for same in kinds_of(config) or [False]:
        if max(map(len, groups_of(prepared.utterances, same)), default=0) < 2:
            what = "a second turn" + (" of the same speaker" if same else "")
            instead = "--context all sees all turns before" if same else "leave --context out"
            raise DserError(f"--context {config.context}: no dialogue has {what}; {instead}")


def _layers(config: Config, prepared: Prepared) -> bool:
    """Tells whether features that a network reads are of several layers."""
    names = [feature_name(prepared, config)] if config.acoustic else []
    names += [config.vectors] if reads_features_of_text(prepared, config) else []
    there = prepared.manifest["features"]
    return any(prepared.layers_of(name) > 1 for name in names if name in there)
