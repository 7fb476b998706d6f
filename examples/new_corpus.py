"""A corpus of your own: any function that returns utterances will do.

python examples/new_corpus.py labels.jsonl runs/new-corpus
"""

import json
import sys
from pathlib import Path

from dser_jax.cli import guarded
from dser_jax.corpora import Corpus, Utterance
from dser_jax.data import inspect, prepare


def load_lines(path: Path) -> Corpus:
    """Reads `{"wav": ..., "who": ..., "said": ..., "vad": [3.5, 2, 4]}`, a line an utterance."""
    utterances = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        entry = json.loads(line)
        valence, arousal, dominance = entry["vad"]
        utterances.append(
            Utterance(
                id=f"u{number:05d}",
                speaker=entry["who"],
                session=entry["who"],  # So that speakers are tested whom training does not hear.
                file=path.parent / entry["wav"] if "wav" in entry else None,
                transcript=entry.get("said"),
                **{"valence": valence, "arousal": arousal, "dominance": dominance},
                source=f"{path}:{number}",
            )
        )
    return Corpus("my lines", tuple(utterances), scale=(1.0, 5.0))


if __name__ == "__main__":
    guarded(lambda: inspect(prepare(load_lines(Path(sys.argv[1])), sys.argv[2])))
