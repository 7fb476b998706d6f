"""Extraction into the store, to which this process alone writes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dser_jax.corpora import Utterance
from dser_jax.features.audio import check_file
from dser_jax.features.extractors.extractor import Extractor
from dser_jax.features.samples import say_loud
from dser_jax.features.store import Store, writing
from dser_jax.features.workers import Task, work_through
from dser_jax.system import BadInput, DataError, Progress, deferred_interrupt, sha256_file


def extract(
    extractor: Extractor,
    utterances: Sequence[Utterance],
    folder: Path,
    *,
    jobs: int | None = None,
    bad: BadInput,
    convert: bool = False,
) -> list[str | None]:
    """Sees to it that the store holds the frames of every utterance.

    Args:
      extractor: What to extract.
      utterances: Of which recordings.
      folder: The extractor's store.
      jobs: Processes; by default one for each core that this process may use.
      bad: Decides about recordings that cannot be used.
      convert: Whether those that are not 16 kHz mono are converted, or cannot be used.

    Returns:
      The key of each utterance in the store, or None for those that were left out.

    Raises:
      DataError: A recording cannot be used, and `bad` does not skip it.
      KeyboardInterrupt: Ctrl-C; what was done stays in the store.
    """
    keys = find_keys(extractor.key_parts(), utterances, bad)
    store = Store(folder, len(extractor.columns))
    todo: dict[str, Task] = {}
    for utt, key in zip(utterances, keys, strict=True):
        if key is not None and utt.file is not None and key not in todo and key not in store:
            todo[key] = Task(utt.file, utt.start, utt.end, utt.source, convert)
    failed = _fill(extractor, todo, folder, jobs, bad) if todo else {}
    for i, (utt, key) in enumerate(zip(utterances, keys, strict=True)):
        if key is None or key not in failed:
            continue
        error = failed[key]
        if todo[key].file != utt.file:
            problem = f"the same sound as {todo[key].file}, which cannot be used"
            error = DataError(problem, file=utt.file)
        bad(error)
        keys[i] = None
    return keys


def find_keys(settings: str, utterances: Sequence[Utterance], bad: BadInput) -> list[str | None]:
    """Returns what names each utterance's frames in the store; None where there is no recording.

    `settings` is everything besides the audio that the frames depend on.
    """
    files: list[Path | None] = []
    for utt in utterances:
        try:
            files.append(check_file(utt.file, utt.source))
        except DataError as error:
            bad(error)
            files.append(None)
    several = sorted({file for file in files if file is not None})
    with ThreadPoolExecutor(4) as threads:
        digests = dict(zip(several, threads.map(sha256_file, several), strict=True))
    return [
        None if file is None else _key(digests[file], utt.start, utt.end, settings)
        for file, utt in zip(files, utterances, strict=True)
    ]


def find_loud(
    store: Store, utterances: Sequence[Utterance], keys: Sequence[str | None]
) -> list[str]:
    """Says how many of the recordings reach above 1, by what the store has of them."""
    peaks: dict[Path | str, float] = {}
    for utt, key in zip(utterances, keys, strict=True):
        if key is not None and utt.file is not None:
            peaks[utt.file] = max(store.peak(key), peaks.get(utt.file, 0.0))
    return say_loud(peaks)


def _key(digest: str, start: float | None, end: float | None, settings: str) -> str:
    return hashlib.sha256(f"{digest} {start!r} {end!r} {settings}".encode()).hexdigest()


def _fill(
    extractor: Extractor, todo: dict[str, Task], folder: Path, jobs: int | None, bad: BadInput
) -> dict[str, DataError]:
    """Extracts what is not in the store; returns the recordings that cannot be used.

    Without `bad.skip` the first of those ends it.
    """
    failed: dict[str, DataError] = {}
    done = 0
    with (
        writing(folder, len(extractor.columns)) as writer,
        deferred_interrupt() as interrupted,
        Progress(extractor.name, len(todo)) as progress,
    ):
        results = work_through(extractor, todo, jobs)
        try:
            for key, result in results:
                if isinstance(result, DataError):
                    if not bad.skip:
                        bad(result)
                    failed[key] = result
                else:
                    writer.add(key, result.frames, result.peak)
                done += 1
                progress.advance()
                if interrupted() and done < len(todo):
                    raise KeyboardInterrupt(
                        f"stopped: {extractor.name} of {done} of {len(todo)} recordings is done "
                        "and kept; the same command goes on from there"
                    )
        finally:
            results.close()
    return failed
