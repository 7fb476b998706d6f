"""Which baselines there are, and which of them a table gets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dser_jax.config import CONTEXTS, DIALOGUES, Config, side_by_side
from dser_jax.data import Prepared, reads_features_of_text
from dser_jax.plan import run_id
from dser_jax.stats.baselines.context import kind_of
from dser_jax.stats.baselines.models import MODELS
from dser_jax.system import DserError


@dataclass(frozen=True)
class Baseline:
    """One row of the table.

    Attributes:
      name: As tables show it, e.g. "ridge (speech + text), stretched".
      model: mean, ridge, svr or kernel.
      config: Whose protocol, split and, if there is speech, whose features it has.
      speech, text: Whether it sees them.
      stretched: Whether its predictions are.
      said: Features of text that it sees, such as a sentence encoder's; "" for none.
      counted: Whether it sees tf-idf of the words, where it sees text.
    """

    name: str
    model: str
    config: Config
    speech: bool = False
    text: bool = False
    stretched: bool = False
    said: str = ""
    counted: bool = True

    @property
    def inputs(self) -> str:
        """The inputs' names, e.g. "paa_hsf + tf-idf"."""
        return self.inputs_with(self.config.features)

    def inputs_with(self, features: str) -> str:
        """Names the inputs, the features as they are called here."""
        how = " by speaker" if self.config.normalize else ""
        speech = [name + how for name in side_by_side(features)] if self.speech else []
        words = [self.said] * bool(self.said) + ["tf-idf"] * self.counted if self.text else []
        context = [CONTEXTS[kind_of(self.config).context]] if self._has_context else []
        return " + ".join([*speech, *words, *context])

    @property
    def _has_context(self) -> bool:
        return bool(self.config.context) and (self.speech or self.text)

    @property
    def prepared_inputs(self) -> list[str]:
        """Names of the features that the prepared data set must have."""
        speech = side_by_side(self.config.features) if self.speech else []
        said = [self.said] if self.text and self.said else []
        return [*speech, *said, *([DIALOGUES] if self._has_context else [])]

    def to_json(self) -> dict[str, Any]:
        """Returns what determines the row, save the data and the model's own settings."""
        return {
            "model": self.model,
            "inputs": self.inputs,
            "stretched": self.stretched,
            "protocol": self.config.protocol,
            "split": self.config.split,
        }


def plan_baselines(prepared: Prepared, configs: Sequence[Config]) -> dict[str, Baseline]:
    """Lists the baselines of some networks: run -> baseline, each once.

    Networks of equal protocol, split and context share theirs, which see no more than the networks
    do: speech if one of them does, text if one does, both if one has both. With several acoustic
    features there are baselines of each, and their names say of which; so they do of features of
    text, which they see beside tf-idf of the words.

    Args:
      prepared: The data set.
      configs: What the networks are built from.
    """
    places: dict[tuple[str, ...], list[Config]] = {}
    for config in configs:
        seen = (kind_of(config).context, config.normalize)
        places.setdefault((config.protocol, config.split, *seen), []).append(config)
    plan = {}
    for place in places.values():
        for baseline in _of_a_place(prepared, place):
            identity = {
                "config": baseline.to_json(),
                "hparams": MODELS[baseline.model],
                "data": prepared.fingerprint_of(baseline.prepared_inputs),
            }
            plan[run_id(identity)] = baseline
    return plan


def _of_a_place(prepared: Prepared, configs: Sequence[Config]) -> Iterator[Baseline]:
    """Yields the baselines of networks with one protocol and split, in the order of the table."""
    speech: dict[str, Config] = {}
    text: dict[str, Config] = {}
    both: dict[tuple[str, str], Config] = {}
    for config in configs:
        said = config.vectors if reads_features_of_text(prepared, config) else ""
        if config.acoustic:
            speech.setdefault(config.features, config)
        if config.text:
            text.setdefault(said, config)
        if config.acoustic and config.text:
            both.setdefault((config.features, said), config)
    has_words = any(utterance.transcript for utterance in prepared.utterances)

    how = " by speaker" if configs[0].normalize else ""
    context = CONTEXTS[kind_of(configs[0]).context]
    beside = f" + {context}" if context else ""

    def called(features: str) -> str:
        names = side_by_side(features) if len(speech) > 1 else ["speech"]
        return " + ".join(name + how for name in names)

    def told(said: str) -> str:
        return (f"{said} + tf-idf" if has_words else said) if said else "text"

    inputs = [(called(name), config, True, False, "") for name, config in speech.items()]
    inputs += [(told(said), config, False, True, said) for said, config in text.items()]
    for (name, said), config in both.items():
        inputs.append((f"{called(name)} + {told(said)}", config, True, True, said))
    yield Baseline("mean", "mean", configs[0])
    for model in ("ridge", "svr", "kernel"):
        for label, config, has_speech, has_text, said in inputs:
            name = f"{model} ({label}{beside})"
            sees = {"speech": has_speech, "text": has_text, "said": said}
            sees["counted"] = has_words or not said
            yield Baseline(name, model, config, **sees)
            yield Baseline(f"{name}, stretched", model, config, **sees, stretched=True)


def check_baselines(
    baselines: Mapping[str, Baseline],
    names: Collection[str],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Makes sure that a name of the table means one thing.

    Args:
      baselines: Those planned.
      names: The networks' names.
      rows: What the journal has.

    Raises:
      DserError: A network has the name of a baseline, or the journal has such a baseline with other
        settings.
    """
    for run, baseline in baselines.items():
        if baseline.name in names:
            raise DserError(
                f"{baseline.name!r} is the name of a baseline; give the networks another name, or "
                "do without baselines"
            )
        mine = baseline.to_json()
        for row in rows:
            if row.get("kind") != "baseline" or row["name"] != baseline.name or row["run"] == run:
                continue
            if all(row["config"].get(key) == mine[key] for key in ("protocol", "split")):
                had, now = row["config"] | row["hparams"], mine | MODELS[baseline.model]
                changed = [f"{k} {had.get(k)} -> {now[k]}" for k in now if had.get(k) != now[k]]
                raise DserError(
                    f"the folder has a baseline {baseline.name!r} with other settings "
                    f"({', '.join(changed)}); choose another --out, or do without baselines"
                )
