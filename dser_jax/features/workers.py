"""Recordings worked through, in processes where there are many: a task each, frames or an error."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from dser_jax.features.audio import hear
from dser_jax.features.extractors.extractor import Extractor, Frames, make_frames
from dser_jax.features.sets import EXTRACTORS
from dser_jax.system import DataError, DserError, available_cores, without_interrupts

A_WORKER = 16
"""Recordings that are worth the start of a process, which takes seconds."""


class Task(NamedTuple):
    """A part of a recording, the row that names it, and whether it may be converted."""

    file: Path
    start: float | None
    end: float | None
    source: str
    convert: bool = False


class Extracted(NamedTuple):
    """What came of a recording: its frames, and the largest magnitude of its samples."""

    frames: Frames
    peak: float


Result = tuple[str, Extracted | DataError]


def work_through(
    extractor: Extractor, tasks: Mapping[str, Task], jobs: int | None
) -> Generator[Result, None, None]:
    """Yields the frames, or the error, of each task by its key, as they come.

    Args:
      extractor: What to extract.
      tasks: By key.
      jobs: Processes at most; by default one for each core that this process may use.
    """
    workers = min(jobs or available_cores(), -(-len(tasks) // A_WORKER))
    if workers > 1:
        yield from _in_processes(extractor, tasks, workers)
    else:
        work = _make_work(extractor)
        for key, task in tasks.items():
            yield key, work(task)


def _make_work(extractor: Extractor) -> Callable[[Task], Extracted | DataError]:
    """Starts an extractor; returns what reads a recording and gives its frames, or the error."""
    extract_frames = make_frames(extractor)

    def work(task: Task) -> Extracted | DataError:
        try:
            heard = hear(*task)
            return Extracted(extract_frames(heard.signal, task.file), heard.peak)
        except DataError as error:
            return error

    return work


_work: Callable[[Task], Extracted | DataError] | None = None
"""What a worker process does with a task; set when it starts."""


def _start_worker(name: str) -> None:
    """Starts an extractor in a worker process, which ends when its parent has."""
    global _work
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    _work = _make_work(EXTRACTORS[name])


def _work_here(task: Task) -> Extracted | DataError:
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
    extractor: Extractor, tasks: Mapping[str, Task], workers: int
) -> Generator[Result, None, None]:
    """Does the tasks in processes.

    When a process dies, which takes the others with it, the recordings at work are tried one by
    one in a process of their own, and the one that kills it again is reported.
    """
    waiting, at_work = deque(tasks.items()), {}
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
                    yield key, _alone(extractor, tasks[key])
                pool = _pool(extractor, workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(extractor: Extractor, task: Task) -> Extracted | DataError:
    """Does a task that may kill its process."""
    with _pool(extractor, 1) as pool:
        try:
            return _submit(pool, _work_here, task).result()
        except BrokenProcessPool:
            return DataError(f"{extractor.library} crashes on this recording", file=task.file)
