"""Recordings or texts through an encoder, into the store, to which this process alone writes."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from dser_jax.corpora import Utterance
from dser_jax.features.audio import RATE, Heard, Signal, hear
from dser_jax.features.encoders.batches import Item, batches, computed, portions
from dser_jax.features.encoders.encoder import Encoder
from dser_jax.features.encoders.libraries import device, libraries
from dser_jax.features.encoders.speech import SpeechNetwork, SpeechReader
from dser_jax.features.encoders.text import TextNetwork, TextReader
from dser_jax.features.extraction import find_keys
from dser_jax.features.extractors.extractor import Frames
from dser_jax.features.store import Store, writing
from dser_jax.features.workers import Task
from dser_jax.system import BadInput, DataError, Progress, deferred_interrupt, say

T = TypeVar("T")

READERS = 4
"""Recordings are read by so many threads."""


def encode(
    encoder: Encoder,
    utterances: Sequence[Utterance],
    folder: Path,
    *,
    bad: BadInput,
    convert: bool = False,
    half: bool = False,
    said: list[str] | None = None,
    told: bool = True,
) -> list[str | None]:
    """Sees to it that the store holds the features of every utterance.

    Args:
      encoder: Of `open_encoder`.
      utterances: Each has a recording, for an encoder of speech, or words, for one of text.
      folder: The store of these features alone.
      bad: Decides about what cannot be used.
      convert: Whether recordings that are not 16 kHz mono are converted, or cannot be used.
      half: Whether the store keeps them in half precision.
      said: Takes what was cut, for people.
      told: Whether it is said before how much there is to do, and how large it will be.

    Returns:
      The key of each utterance in the store, or None for those that were left out.

    Raises:
      DataError: A recording cannot be used, and `bad` does not skip it; the encoder is damaged.
      KeyboardInterrupt: Ctrl-C; what was done stays in the store.
    """
    make = _of_speech if encoder.half == "speech" else _of_text
    keys, items, notes, start = make(encoder, utterances, bad, convert)
    if said is not None:
        said += notes
    store = Store(folder, encoder.width, half)
    todo = {key: item for key, item in items.items() if key not in store}
    if told:
        _say_size(encoder, items, todo, half)
    failed = _fill(encoder, start, todo, folder, half, bad) if todo else {}
    for i, key in enumerate(keys):
        if key is not None and key in failed:
            bad(failed[key])
            keys[i] = None
    return keys


def make_encode(encoder: Encoder) -> Callable[[Signal | str, Path | None], Frames]:
    """Loads an encoder; returns the function from a signal, and its file, or a text to features.

    That function raises a `DataError`, which names the file, where there is no step, or no number.
    """
    speech = encoder.half == "speech"
    network: Any = (
        SpeechNetwork(SpeechReader(encoder)) if speech else TextNetwork(TextReader(encoder))
    )

    def encoded(given: Signal | str, file: Path | None = None) -> Frames:
        if isinstance(given, str):
            given = network.reader.read(given)
        else:
            network.reader.check(given, file)
        result = computed(network, [""], {"": given})[""]
        if isinstance(result, str):
            raise DataError(result, file=file)
        return encoder.finish(result)

    return encoded


class _Made(NamedTuple):
    """The keys of utterances, what there is to encode by key, what to say, and the network."""

    keys: list[str | None]
    items: dict[str, Item]
    said: list[str]
    start: Callable[[], Any]


def _of_speech(
    encoder: Encoder, utterances: Sequence[Utterance], bad: BadInput, convert: bool
) -> _Made:
    reader = SpeechReader(encoder)
    keys = find_keys(encoder.key_parts(), utterances, bad)
    chosen: dict[str, Task] = {}
    for utt, key in zip(utterances, keys, strict=True):
        if key is not None and utt.file is not None:
            chosen.setdefault(key, Task(utt.file, utt.start, utt.end, utt.source, convert))

    def read(task: Task) -> tuple[Any, float]:
        heard: Heard = hear(*task)
        reader.check(heard.signal, task.file)
        return heard.signal, heard.peak

    with ThreadPoolExecutor(READERS) as threads:
        lengths = list(threads.map(_samples, chosen.values()))
    items = {
        key: Item(length, reader.steps(length), lambda task=task: read(task), task.file)
        for (key, task), length in zip(chosen.items(), lengths, strict=True)
    }
    seconds = [length / RATE for length in lengths]
    return _Made(keys, items, reader.said(seconds), lambda: SpeechNetwork(reader))


def _samples(task: Task) -> int:
    """Returns how many samples a recording has by what its file says; 0 where that says nothing."""
    import soundfile

    if task.start is not None and task.end is not None:
        return round((task.end - task.start) * RATE)
    with contextlib.suppress(Exception):
        info = soundfile.info(str(task.file))
        seconds = info.frames / info.samplerate if task.end is None else task.end
        return max(round((seconds - (task.start or 0.0)) * RATE), 0)
    return 0


def _of_text(
    encoder: Encoder, utterances: Sequence[Utterance], bad: BadInput, convert: bool
) -> _Made:
    reader = TextReader(encoder)
    keys: list[str | None] = []
    texts: dict[str, str] = {}
    where: dict[str, str] = {}
    settings = encoder.key_parts()
    for utt in utterances:
        text = utt.transcript or ""
        key = hashlib.sha256(f"{settings}\n{text}".encode()).hexdigest()
        keys.append(key)
        texts[key] = text
        where.setdefault(key, utt.source)
    counts = {key: reader.count(text) for key, text in texts.items()}
    steps = {key: min(count, reader.longest) for key, count in counts.items()}
    items = {
        key: Item(
            steps[key], steps[key], lambda text=text: (reader.read(text), 0.0), where[key] or None
        )
        for key, text in texts.items()
    }
    said = reader.said([counts[key] for key in keys if key is not None])
    return _Made(keys, items, said, lambda: TextNetwork(reader))


def _say_size(
    encoder: Encoder, items: Mapping[str, Item], todo: Mapping[str, Item], half: bool
) -> None:
    """Says how much will be computed, and how large that is."""
    rows = sum(item.steps if encoder.kind == "lld" else 1 for item in items.values())
    size, bytes_each = encoder.width * rows, 2 if half else 4
    torch, _ = libraries()
    done = len(items) - len(todo)
    there = f", of which {done:,} are there" if done else ""
    what = "recordings" if encoder.half == "speech" else "texts"
    say(
        f"{encoder.name}: {len(items):,} {what}{there}; {rows:,} rows x {encoder.width:,} x "
        f"{bytes_each} bytes are {_size(size * bytes_each)} in the store, and {_size(size * 4)} in "
        f"the folder; computed on {device(torch)}"
    )


def _size(count: float) -> str:
    """Writes a number of bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def _fill(
    encoder: Encoder,
    start: Callable[[], Any],
    todo: dict[str, Item],
    folder: Path,
    half: bool,
    bad: BadInput,
) -> dict[str, DataError]:
    """Encodes what is not in the store; returns what cannot be used, and why.

    Without `bad.skip` the first of those ends it.
    """
    network = start()
    failed: dict[str, DataError] = {}
    done = 0

    def fail(key: str, error: DataError) -> None:
        if not bad.skip:
            bad(error)
        failed[key] = error

    with (
        writing(folder, encoder.width, half) as writer,
        deferred_interrupt() as interrupted,
        ThreadPoolExecutor(READERS) as threads,
        Progress(encoder.name, len(todo)) as progress,
    ):
        for portion, read in _ahead(threads, encoder, todo):
            given, peaks = {}, {}
            for key, result in zip(portion, read, strict=True):
                if isinstance(result, DataError):
                    fail(key, result)
                    done += 1
                    progress.advance()
                else:
                    given[key], peaks[key] = result
            for batch in batches(encoder, network, given):
                for key, result in computed(network, batch, given).items():
                    if isinstance(result, str):
                        fail(key, DataError(result, file=todo[key].where))
                    else:
                        writer.add(key, encoder.finish(result), peaks[key])
                    done += 1
                    progress.advance()
                if interrupted() and done < len(todo):
                    raise KeyboardInterrupt(
                        f"stopped: {encoder.name} of {done} of {len(todo)} is done and kept; the "
                        "same command goes on from there"
                    )
    return failed


def _ahead(
    threads: ThreadPoolExecutor, encoder: Encoder, todo: Mapping[str, Item]
) -> Iterator[tuple[list[str], Iterator[Any]]]:
    """Yields keys and what is read of them, while what comes next is being read."""
    before: tuple[list[str], Iterator[Any]] | None = None
    each = threads.map if encoder.half == "speech" else map  # A tokenizer is for one thread.
    for portion in portions(encoder, todo):
        read = each(_tried, [todo[key].read for key in portion])
        if before is not None:
            yield before
        before = portion, read
    if before is not None:
        yield before


def _tried(read: Callable[[], T]) -> T | DataError:
    try:
        return read()
    except DataError as error:
        return error
