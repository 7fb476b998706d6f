"""Ctrl-C at a moment that suits us."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

LAST: list[Callable[[], object]] = []
"""What a process still does that is ended at once, as to let go of a folder."""

LAST_SECONDS = 2.0
"""So long at most: a disk may not answer."""


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Takes note of Ctrl-C instead of raising at once; gives the function that asks for it.

    openSMILE calls back into Python, where a `KeyboardInterrupt` would be lost along with the
    frame. A second Ctrl-C ends the process on the spot, which the store survives, and says so.
    Outside of the main thread, where signals cannot be handled, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = False

    def handle(number, frame) -> None:
        nonlocal asked
        if asked:
            end_at_once(130, "stopped at once; what was extracted is kept")
        asked = True

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def end_at_once(code: int, text: str) -> NoReturn:
    """Ends the process with a word on stderr, a cursor and what is in `LAST`: no other cleaning."""
    threading.excepthook = lambda *_: None
    last = threading.Thread(target=lambda: [act() for act in reversed(LAST)], daemon=True)
    with contextlib.suppress(Exception):
        last.start()
        last.join(LAST_SECONDS)
    with contextlib.suppress(Exception):
        # Past Python's own buffers, at which another thread may be waiting.
        os.write(2, b"\x1b[?25h\n" if os.isatty(2) else b"")
        os.write(2, f"{text}\n".encode())
    os._exit(code)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Holds Ctrl-C back; processes started in here keep it held back, which is the purpose."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
