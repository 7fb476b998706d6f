"""A model card as the Hugging Face hub reads it: `README.md`, its front matter in YAML."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from dser_jax.config import TRAINING, Config
from dser_jax.corpora import scale_in_words
from dser_jax.features import is_imported
from dser_jax.share.baseline import baseline_in_words, fold_in_words
from dser_jax.share.bundle import CONFIG, TOKENIZER, Bundle
from dser_jax.share.card.without import without

PAPER = (
    "B. T. Atmaja and M. Akagi, “Dimensional speech emotion recognition from speech features and "
    "word embeddings by using multitask learning”, APSIPA Transactions on Signal and Information "
    "Processing, vol. 9, e17, 2020, https://doi.org/10.1017/ATSIP.2020.14"
)

LICENCES = {
    "iemocap": "IEMOCAP is licensed to its holder and may not be passed on: ask the University of "
    "Southern California before you publish what was trained on it.",
    "msp_improv": "MSP-IMPROV is licensed to its holder and may not be passed on: ask the "
    "University of Texas at Dallas before you publish what was trained on it.",
    "msp_podcast": "MSP-Podcast is licensed to its holder and may not be passed on: ask the "
    "University of Texas at Dallas before you publish what was trained on it.",
    "emobank": "EmoBank is under CC-BY-SA 4.0, which asks for attribution and the same licence.",
    "demo": "The demo corpus is this package's own sentences, spoken by eSpeak NG: no licence of "
    "data stands in the way.",
}
"""What a corpus' licence has to do with a model, by the corpus' name."""

_UNKNOWN = (
    "Whether this may be passed on is for the licence of the corpus to say: look before publishing."
)
_ABOUT = {
    "strict": "scaler and vocabulary from training rows alone, validation on speakers held out of "
    "training, early stopping on the loss over the whole validation set",
    "paper": "scaler and vocabulary from all rows, test rows included, and the last 20% of the "
    "training rows for validation, as the paper's authors did",
}


STRETCHED = (
    "Its predictions are stretched: mapped, by attribute, so that those of validation have the "
    f"mean and deviation of its labels. `{CONFIG}` has the map, and the programs include it."
)


def make_card(bundle: Bundle, licence: str | None) -> str:
    """Writes the model card.

    Args:
      bundle: The model.
      licence: An identifier of the hub, e.g. "apache-2.0"; None leaves it to the reader, as the
        hub's "other".
    """
    front = "\n".join(_yaml(_metadata(bundle, licence)))
    return f"---\n{front}\n---\n\n{_text(bundle, licence)}"


def _metadata(bundle: Bundle, licence: str | None) -> dict[str, Any]:
    speech = bundle.features is not None
    task = {
        "type": "audio-classification" if speech else "text-classification",
        "name": "Dimensional speech emotion recognition" if speech else "Dimensional emotion",
    }
    test = bundle.scores["test"]
    metrics = [
        {"type": metric, "value": round(value, 4), "name": f"{label}, {attr}"}
        for metric, label in (("ccc", "CCC over the whole test set"), ("rmse", "RMSE on [-1, 1]"))
        for attr, value in test[metric].items()
        if value is not None
    ]
    dataset = {
        "name": f"{bundle.corpus}, split {bundle.scores['split']}, protocol "
        f"{bundle.scores['protocol']}",
        "type": bundle.corpus,
        "split": "test",
    }
    terms = {"license": licence or "other"}
    if licence is None:
        terms |= {"license_name": "see-model-card", "license_link": "README.md"}
    inputs = ["speech"] * speech + ["text"] * bundle.reads_text
    return terms | {
        "library_name": "dser_jax",
        "pipeline_tag": task["type"],
        "tags": ["emotion", "emotion-recognition", *inputs, *bundle.attrs, "jax", "flax"],
        "model-index": [
            {
                "name": bundle.title,
                "results": [{"task": task, "dataset": dataset, "metrics": metrics}],
            }
        ],
    }


def _yaml(value: Any, indent: str = "") -> list[str]:
    """Writes dictionaries, lists and scalars as YAML, with every string in quotes."""
    lines = []
    pairs = value.items() if isinstance(value, dict) else ((None, each) for each in value)
    for key, each in pairs:
        head = indent + ("-" if key is None else f"{key}:")
        if not isinstance(each, dict | list):
            lines.append(f"{head} {json.dumps(each, ensure_ascii=False)}")
            continue
        below = _yaml(each, indent + "  ")
        if key is None:  # The first line of what is listed stands behind the dash.
            lines += [f"{head} {below[0].lstrip()}", *below[1:]]
        else:
            lines += [head, *below]
    return lines


def _text(bundle: Bundle, licence: str | None) -> str:
    several = len(bundle.members) > 1
    scores, utterances = bundle.scores, bundle.scores["utterances"]
    inputs = []
    if bundle.features is not None:
        inputs.append(f"speech (`{bundle.features.name}`: {bundle.features.source})")
    if bundle.tokenizer is not None:
        inputs.append("words")
    if (text := bundle.text_features) is not None:
        inputs.append(f"text (`{text.name}`: {text.source})")
    what = (
        f"{len(bundle.members)} networks, whose mean predicts"
        if several
        else "A network that predicts"
    )
    foreign = _foreign(bundle)
    use = f"""\
import dser_jax

model = dser_jax.load("FOLDER")  # this folder
{_call(bundle)}
print(estimate.attrs, estimate.pred, estimate.on_scale, estimate.spread)"""
    limits = [
        f"It knows the speakers, the language and the recordings of `{bundle.corpus}`. On others "
        "it has not been measured: expect less, and measure before you rely on it.",
        "It predicts how somebody sounds to listeners, not what that person feels. Do not judge "
        "people by it.",
    ]
    if several:
        limits.append("The spread is how much its networks differ, not the whole uncertainty.")
    if bundle.tokenizer is not None:
        known = f"{len(bundle.tokenizer.words):,}"
        limits.append(f"It knows {known} words, those of its training, and passes over all others.")
    if bundle.turns is not None:
        limits.append("Its scores are with the turns before each in view: say which these are.")
    if bundle.config.normalize:
        limits.append("It takes 10 recordings of a speaker at once, by whose own it measures each.")
    parts = [
        f"# {bundle.title}",
        f"{what} {_listed(bundle.attrs)} from {' and '.join(inputs)}, trained on the corpus "
        f"`{bundle.corpus}` by dser_jax, after Atmaja & Akagi (2020). Values are on [-1, 1], and "
        f"on the corpus' scale from {scale_in_words(bundle.scale)}.",
        "## Use",
        f"```python\n{use}\n```",
        "Its features were extracted elsewhere: compute them as they were for its training, as "
        "dser_jax cannot. `features` are `[1, feat]` for functionals, else `[frame, feat]`."
        if foreign
        else f"On the command line: `{_command(bundle)}`. Recordings are 16 kHz and mono.",
        "## What it reached",
        _table(bundle),
        f"`ccc` is the concordance correlation coefficient over the whole of the "
        f"{utterances['test']} test utterances. `ccc_batch32`, which the paper's tables show, is a "
        "mean over batches of 32 rows.",
        baseline_in_words(scores),
        fold_in_words(scores),
        f"Split: {scores['split']}. {utterances['train']} utterances were trained on, "
        f"{utterances['validation']} validated. Chosen: {scores['chosen']}; the test utterances "
        f"chose nothing. Protocol `{scores['protocol']}`: {_ABOUT.get(scores['protocol'], '')}.",
        _members(bundle),
        "" if bundle.stretch is None else STRETCHED,
        "The sweep had kept no weights, so this was trained again; the scores are its own."
        if scores["trained_again"]
        else "",
        f"Networks: {bundle.config.network}, {_size(bundle):,} numbers each."
        f"{_trained(bundle.config)} `{CONFIG}` has all settings.",
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits),
        "## Licence",
        _licence(bundle, licence),
        "## Without dser_jax",
        without(bundle),
        "## Cite",
        PAPER,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _foreign(bundle: Bundle) -> bool:
    """Tells whether it reads features that were not computed here."""
    both = (bundle.features, bundle.text_features)
    sets = [one for each in both if each is not None for one in each.sets]
    return any(is_imported(each.source) for each in sets)


def _call(bundle: Bundle) -> str:
    if _foreign(bundle):
        speech = "[features]" if bundle.features is not None else "None"
        texts = '["what was said"]' if bundle.tokenizer is not None else "None"
        texts = "[text_features]" if bundle.text_features is not None else texts
        return f"estimate = model.predict({speech}, {texts})"
    recording = '"hello.wav"' if bundle.features is not None else ""
    text = 'text="what was said"' if bundle.reads_text else ""
    return f"estimate = model({', '.join(filter(None, (recording, text)))})"


def _command(bundle: Bundle) -> str:
    recording = " hello.wav" if bundle.features is not None else ""
    text = ' --text "what was said"' if bundle.reads_text else ""
    return f"dser predict FOLDER{recording}{text}"


def _table(bundle: Bundle) -> str:
    columns = [*bundle.attrs, *(["mean"] if len(bundle.attrs) > 1 else [])]
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for part in ("test", "validation"):
        for metric in ("ccc", "ccc_batch32", "rmse"):
            values = (bundle.scores[part][metric].get(column) for column in columns)
            cells = " | ".join("–" if value is None else f"{value:.3f}" for value in values)
            lines.append(f"| {part}, `{metric}` | {cells} |")
    return "\n".join(lines)


def _members(bundle: Bundle) -> str:
    """Says how the networks do alone."""
    seeds = _ranges([member.seed for member in bundle.members])
    if len(bundle.members) == 1:
        return f"Seed {seeds}."
    alone = [v for v in bundle.scores["test"]["ccc_mean_of_each"].values() if v is not None]
    if not alone:
        return f"Seeds {seeds}."
    return (
        f"Seeds {seeds}. Alone{', not stretched' * (bundle.stretch is not None)}, the networks "
        f"have a mean `ccc` on test of {min(alone):.3f} to "
        f"{max(alone):.3f}, median {np.median(alone):.3f}."
    )


def _trained(config: Config) -> str:
    """Says by which loss, weighting and optimizer, where they are not the default."""
    found = {name: getattr(config, name) for name in TRAINING}
    told = [f"{name} {value}" for name, value in found.items() if value != getattr(Config, name)]
    return f" Trained with {', '.join(told)}." if told else ""


def _ranges(numbers: list[int]) -> str:
    """Writes ascending numbers shortly: 0-4, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}–{p[-1]}" for p in parts)


def _size(bundle: Bundle) -> int:
    return sum(array.size for array in bundle.members[0].weights.values())


def _licence(bundle: Bundle, licence: str | None) -> str:
    # Of a joined set, "iemocap -> demo", the model comes from the first; the second was its test.
    said = LICENCES.get(bundle.corpus.split(" -> ")[0], _UNKNOWN)
    if bundle.tokenizer is not None:
        said += f" Of its transcripts, `{TOKENIZER}` has the words, and nothing else."
    return f"`{licence}`. {said}" if licence else said
