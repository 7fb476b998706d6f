"""The talking corpus: made on the spot, and laid out on the disk as IEMOCAP is.

Ten speakers talk in five sessions, in improvised and in scripted dialogues (`people.py`). Each
utterance has a latent valence, arousal and dominance with the moments of the real corpus. Valence
shows mostly in the words (`text.py`), arousal and dominance mostly in the voice (`espeak.py`), all
of them imperfectly. The labels are the means of three raters who do not quite agree (`labels.py`).

Measured at 1000 utterances, seed 0: CCC on session 5 (valence, arousal, dominance) of ridge
regression on sessions 1 to 4, its spread stretched to the labels'. Means and deviations of the 23
eGeMAPS descriptors .29, .73, .68; words weighted by tf-idf .65, .41, .45; both .67, .72, .72.

It is no stand-in for people: it lets everything be tried, timed and tested without a licence.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dser_jax.corpora.demo.espeak import Spoken, speak
from dser_jax.corpora.demo.labels import rate
from dser_jax.corpora.demo.layout import write_dialogue, write_wav
from dser_jax.corpora.demo.people import (
    VOICES,
    Turn,
    draw_latents,
    perform,
    plan_turns,
    write_sentences,
)
from dser_jax.corpora.iemocap import load_iemocap
from dser_jax.corpora.utterances import Corpus
from dser_jax.system import BadInput, DserError

LEAST = 40
"""The fewest utterances of a corpus: two dialogues of four turns a session."""

_MARKER = "demo.json"
_VERSION = 2  # of what is made from a seed: to be raised by any change that reaches the disk


def load_demo(
    root: str | Path,
    *,
    utterances: int | None = None,
    seed: int | None = None,
    bad: BadInput | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Reads the demo corpus, and makes it first if it is not there.

    Args:
      root: Where it is.
      utterances: As for `make_demo`; None takes a corpus that is there as it is.
      seed: Likewise.
      bad: Decides whether bad input raises, the default, or is left out and listed.
      progress: Called with the number of utterances spoken and of all.
    """
    made = _marker(Path(root)) or {"utterances": 1000, "seed": 0}
    folder = make_demo(
        root,
        utterances=made["utterances"] if utterances is None else utterances,
        seed=made["seed"] if seed is None else seed,
        progress=progress,
    )
    return dataclasses.replace(load_iemocap(folder, bad), name="demo")


def make_demo(
    root: str | Path,
    *,
    utterances: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Makes the demo corpus, unless it is there: on one machine, equal arguments give equal bytes.

    It is made beside `root` and renamed when it is whole, so that a half-made corpus is never read.

    Args:
      root: The folder to make. It takes the place of `IEMOCAP_full_release`.
      utterances: How many, 40 at least.
      seed: Another seed gives other feelings, words and voices.
      progress: Called with the number of utterances spoken and of all.

    Returns:
      The folder.

    Raises:
      DserError: if there is something else in the folder, or no synthesizer is installed.
    """
    root = Path(root).resolve()
    wanted = {"version": _VERSION, "utterances": utterances, "seed": seed}
    if utterances < LEAST:
        raise DserError(f"{utterances} utterances are too few for a demo corpus; {LEAST} at least")
    if _is_there(root, wanted):
        return root
    part = None
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        part = Path(tempfile.mkdtemp(prefix=f".{root.name}.", suffix=".part", dir=root.parent))
        part.chmod(0o755)
        _write_corpus(part, utterances, seed, progress)
        (part / _MARKER).write_text(json.dumps(wanted) + "\n")
        if root.is_dir():
            root.rmdir()  # it is empty: `_is_there` has looked
        part.rename(root)
    except OSError as error:
        if _is_there(root, wanted):  # another process was faster
            return root
        raise DserError(f"{root}: cannot write the demo corpus: {error}") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return root


def _marker(root: Path) -> dict | None:
    """Reads what a finished corpus was made from."""
    try:
        return json.loads((root / _MARKER).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DserError(f"{root / _MARKER}: cannot read: {error}; remove the folder") from error


def _is_there(root: Path, wanted: dict) -> bool:
    """Tells whether the corpus is made; raises if another one, or something else, is there."""
    if not root.exists():
        return False
    if not root.is_dir():
        raise DserError(f"{root}: a file is in the place of the demo corpus")
    made = _marker(root)
    if made == wanted:
        return True
    if made is not None:
        raise DserError(
            f"{root}: holds a demo corpus made from {made}, not from {wanted};"
            " name another folder, or remove this one"
        )
    if any(root.iterdir()):
        raise DserError(f"{root}: holds something else than a demo corpus; name another folder")
    return False


def _remove_leftovers(root: Path) -> None:
    """Removes what killed processes left; a living one made its folder within the hour."""
    for part in root.parent.glob(f".{root.name}.*.part"):
        if time.time() - part.stat().st_mtime > 3600:
            shutil.rmtree(part, ignore_errors=True)


def _write_corpus(
    root: Path, utterances: int, seed: int, progress: Callable[[int, int], None] | None
) -> None:
    """Draws, writes and speaks the whole corpus."""
    random = np.random.default_rng(seed)
    turns = plan_turns(utterances)
    latents = draw_latents(turns, random)
    ratings = rate(latents, random)
    sentences = write_sentences(turns, latents, random)
    spoken = [
        perform(sentence, VOICES[turn.speaker], latent, random)
        for turn, sentence, latent in zip(turns, sentences, latents, strict=True)
    ]
    seconds = _speak_sessions(root, turns, spoken, seed, progress)
    dialogues: dict[str, list[int]] = {}
    for at, turn in enumerate(turns):
        dialogues.setdefault(turn.dialogue, []).append(at)
    for dialogue, at in dialogues.items():
        write_dialogue(root, dialogue, at, turns, sentences, ratings, seconds, random)


def _speak_sessions(
    root: Path,
    turns: list[Turn],
    spoken: list[Spoken],
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> dict[int, float]:
    """Speaks the sessions side by side, each in the order of its turns; returns the durations."""
    seconds: dict[int, float] = {}
    lock, stop = threading.Lock(), threading.Event()

    def speak_session(session: int) -> None:
        mine = [at for at, turn in enumerate(turns) if turn.id.startswith(f"Ses0{session}")]
        voices = speak([spoken[at] for at in mine], seed=seed)
        for at, samples in zip(mine, voices, strict=True):
            if stop.is_set():
                return
            duration = write_wav(root, turns[at], samples)
            with lock:
                seconds[at] = duration
                if progress is not None:
                    progress(len(seconds), len(turns))

    with ThreadPoolExecutor(max_workers=min(5, os.cpu_count() or 1)) as pool:
        try:
            for session in [pool.submit(speak_session, number) for number in range(1, 6)]:
                session.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return seconds
