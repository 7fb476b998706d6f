"""Extraction in parallel processes; this process alone writes to the store."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dser_jax.corpora import Utterance
from dser_jax.features.audio import RATE, Signal, check_file, read
from dser_jax.features.extractors.extractor import Extractor, Frames
from dser_jax.features.sets import EXTRACTORS
from dser_jax.features.store import Store, writing
from dser_jax.system import (
    BadInput,
    DataError,
    DserError,
    Progress,
    deferred_interrupt,
    without_interrupts,
)

A_WORKER = 16
"""Recordings that are worth the start of a process, which takes seconds."""


class Task(NamedTuple):
    """A part of a recording, the row that names it, and whether it may be converted."""

    file: Path
    start: float | None
    end: float | None
    source: str
    convert: bool = False


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
    keys = find_keys(extractor, utterances, bad)
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


def find_keys(
    extractor: Extractor, utterances: Sequence[Utterance], bad: BadInput
) -> list[str | None]:
    """Returns what names each utterance's frames in the store; None where there is no recording."""
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
    settings = extractor.key_parts()
    return [
        None if file is None else _key(digests[file], utt.start, utt.end, settings)
        for file, utt in zip(files, utterances, strict=True)
    ]


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _key(digest: str, start: float | None, end: float | None, settings: str) -> str:
    return hashlib.sha256(f"{digest} {start!r} {end!r} {settings}".encode()).hexdigest()


def _fill(
    extractor: Extractor, todo: dict[str, Task], folder: Path, jobs: int | None, bad: BadInput
) -> dict[str, DataError]:
    """Extracts what is not in the store; returns the recordings that cannot be used.

    Without `bad.skip` the first of those ends it.
    """
    failed: dict[str, DataError] = {}
    workers = min(jobs or _cores(), -(-len(todo) // A_WORKER))
    done = 0
    with (
        writing(folder, len(extractor.columns)) as writer,
        deferred_interrupt() as interrupted,
        Progress(extractor.name, len(todo)) as progress,
    ):
        if workers > 1:
            results = _in_processes(extractor, todo, workers)
        else:
            results = _in_this_process(extractor, todo)
        try:
            for key, result in results:
                if isinstance(result, DataError):
                    if not bad.skip:
                        bad(result)
                    failed[key] = result
                else:
                    writer.add(key, result)
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


def _cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


Result = tuple[str, Frames | DataError]


def _in_this_process(extractor: Extractor, todo: dict[str, Task]) -> Generator[Result, None, None]:
    """Yields frames or errors by key."""
    work = _make_work(extractor)
    for key, task in todo.items():
        yield key, work(task)


def _make_work(extractor: Extractor) -> Callable[[Task], Frames | DataError]:
    """Starts an extractor; returns what reads a recording and gives its frames, or the error."""
    extract_frames = make_frames(extractor)

    def work(task: Task) -> Frames | DataError:
        try:
            signal = read(*task)
            return extract_frames(signal, task.file)
        except DataError as error:
            return error

    return work


def make_frames(extractor: Extractor) -> Callable[[Signal, Path | None], Frames]:
    """Starts an extractor; returns the function from a signal, and its file, to checked frames.

    That function raises a `DataError`, which names the file, for a signal that is too short for the
    extractor, or that gives it numbers that are none.
    """
    extract_frames = extractor.make()

    def frames_of(signal: Signal, file: Path | None) -> Frames:
        seconds = len(signal) / RATE
        if seconds < extractor.shortest:
            raise DataError(
                f"too short for {extractor.name}",
                file=file,
                value=f"{seconds:g} s",
                expected=f"at least {extractor.shortest} s",
            )
        return _checked(extract_frames(signal), extractor, file)

    return frames_of


def _checked(frames: Frames, extractor: Extractor, file: Path | None) -> Frames:
    """Returns the frames, if they are numbers."""
    if frames.ndim != 2 or frames.shape[1] != len(extractor.columns) or len(frames) == 0:
        raise DataError(
            f"{extractor.name} gave no frames",
            file=file,
            value=f"shape {frames.shape}",
            expected=f"[frame, {len(extractor.columns)}]",
        )
    wrong = ~np.isfinite(frames)
    if wrong.any():
        frame, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{extractor.name} gave a value that is no number (is the recording silent?)",
            file=file,
            value=f"{frames[frame, column]} as {extractor.columns[column]} of frame {frame}",
            expected="finite features",
        )
    return frames


_work: Callable[[Task], Frames | DataError] | None = None
"""What a worker process does with a task; set when it starts."""


def _start_worker(name: str) -> None:
    """Starts an extractor in a worker process, which ends when its parent has."""
    global _work
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    _work = _make_work(EXTRACTORS[name])


def _work_here(task: Task) -> Frames | DataError:
    """Does a task in a worker process."""
    assert _work is not None
    return _work(task)


def _pool(extractor: Extractor, workers: int) -> ProcessPoolExecutor:
    """Starts worker processes, each with a library of its own, deaf to Ctrl-C.

    Never by fork: openSMILE and JAX both have threads by now.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (extractor.name,))
    try:
        _submit(pool, os.getpid).result()
    except BrokenProcessPool:
        pool.shutdown()
        raise DserError(
            "the processes that extract features cannot start; a script that prepares data needs "
            'its code below `if __name__ == "__main__":`, and `--jobs 1` does without processes'
        ) from None
    return pool


def _submit(pool: ProcessPoolExecutor, function: Callable, *args) -> Future:
    """Gives a task to the pool, which may start a process for it."""
    with without_interrupts():
        try:
            return pool.submit(function, *args)
        except OSError as error:  # It broke while it started a process.
            raise BrokenProcessPool(str(error)) from error


def _in_processes(
    extractor: Extractor, todo: dict[str, Task], workers: int
) -> Generator[Result, None, None]:
    """Yields frames or errors by key, as they come.

    When a process dies, which takes the others with it, the recordings at work are tried one by
    one in a process of their own, and the one that kills it again is reported.
    """
    waiting, at_work = deque(todo.items()), {}
    pool = _pool(extractor, workers)
    try:
        while waiting or at_work:
            try:
                while waiting and len(at_work) < 2 * workers:
                    key, task = waiting[0]
                    at_work[_submit(pool, _work_here, task)] = key
                    waiting.popleft()
                ready, _ = wait(at_work, return_when=FIRST_COMPLETED)
                for future in ready:
                    result = future.result()
                    yield at_work.pop(future), result
            except BrokenProcessPool:
                suspects = list(at_work.values())
                at_work.clear()
                pool.shutdown()
                for key in suspects:
                    yield key, _alone(extractor, todo[key])
                pool = _pool(extractor, workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(extractor: Extractor, task: Task) -> Frames | DataError:
    """Does a task that may kill its process."""
    with _pool(extractor, 1) as pool:
        try:
            return _submit(pool, _work_here, task).result()
        except BrokenProcessPool:
            return DataError(f"{extractor.library} crashes on this recording", file=task.file)
