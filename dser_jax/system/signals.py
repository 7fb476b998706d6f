"""SIGTERM, SIGUSR1 and Ctrl-C: noted at once, acted upon between two steps."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import FrameType

from dser_jax.system.interrupt import end_at_once
from dser_jax.system.progress import say

EXIT_INTERRUPTED = 75
"""The exit code of a command that a signal ended and that has saved everything: the same command
goes on. It is EX_TEMPFAIL of sysexits.h, by which a scheduler can tell it from a failure."""

NAMES = ("SIGTERM", "SIGUSR1", "SIGINT")
"""What is caught, where the system has it; Windows has no SIGUSR1."""

RUNS_KEPT = "finished runs are kept"
LAST_KEPT = "finished runs and the last save of those under way are kept"

ECHO_SECONDS = 0.1
"""A signal that follows the first one sooner is its echo: `timeout` sends one to its child and one
to the child's group, and some launchers pass on a Ctrl-C that the terminal has already sent."""


class Interrupted(KeyboardInterrupt):
    """Raised when a signal has ended the work and everything is saved.

    Args:
      name: Of the signal, e.g. "SIGTERM".
      kept: What is on the disk.

    Attributes:
      name: The same.
    """

    def __init__(self, name: str, kept: str = "everything is saved") -> None:
        self.name = name
        super().__init__(f"stopped by {name}; {kept}, and the same command goes on")


class Signals:
    """Takes note of signals during a `with`, for the work to look at between two steps.

    The first one is noted and answered by a line on stderr, the second one ends the process on the
    spot, with the exit code 128 + its number, and says so. Both happen at once, even while the main
    thread waits for XLA, which may take minutes and during which Python calls no handler: a thread
    reads the numbers of the signals from the descriptor to which Python's own handler writes them.
    Within `nothing_to_lose` the first one ends the process.

    Signals that the process was told to ignore, as a shell does for the Ctrl-C of what it runs in
    the background, stay ignored. Outside of the main thread, where signals cannot be handled,
    nothing changes and nothing is caught.
    """

    _active: Signals | None = None
    """That whose thread listens now."""

    def __init__(self) -> None:
        self._idle = 0  # How often `nothing_to_lose` is entered.
        self._turn = threading.Lock()  # For whoever looks at that, and acts on it.
        self._caught: str | None = None
        self._before: dict[signal.Signals, object] = {}

    @property
    def caught(self) -> str | None:
        """The name of the first signal, e.g. "SIGTERM"; None before it came."""
        return self._caught

    def __enter__(self) -> Signals:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()
        self._outer, Signals._active = Signals._active, self
        for name in NAMES:
            number = getattr(signal, name, None)
            before = signal.SIG_IGN if number is None else signal.getsignal(number)
            if number is None or before is None or before == signal.SIG_IGN:
                continue
            self._before[number] = before
            signal.signal(number, self._note)
            if hasattr(signal, "siginterrupt"):  # What is being saved is not cut short.
                signal.siginterrupt(number, False)
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        Signals._active = self._outer
        signal.set_wakeup_fd(self._wakeup_before)
        self._writer.close()
        self._thread.join()
        self._reader.close()
        while self._before:  # Ctrl-C comes last, since from then on it raises an exception.
            signal.signal(*self._before.popitem())  # pyrefly: ignore[bad-argument-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Notes a signal in the main thread, as soon as that runs Python."""
        self._caught = self._caught or signal.Signals(number).name

    def _listen(self) -> None:
        """Answers signals, from a thread of its own, until the descriptor is closed."""
        first = None
        while numbers := self._reader.recv(64):
            now = time.monotonic()
            for number in numbers:
                if number not in self._before:
                    continue
                if first is None:
                    first = now
                    with self._turn:
                        self._note(number, None)
                        if self._idle:
                            stopped = Interrupted(self._caught or "", RUNS_KEPT)
                            end_at_once(EXIT_INTERRUPTED, f"dser: {stopped}")
                    say(f"{self._caught}: finishing the step and saving; once more ends at once")
                elif now - first > ECHO_SECONDS:
                    name = signal.Signals(number).name
                    end_at_once(128 + number, f"{name}: stopped at once; {LAST_KEPT}")


@contextlib.contextmanager
def nothing_to_lose() -> Iterator[None]:
    """Lets a signal end the process at once: for work of minutes in C that is not worth saving.

    Compiling and fitting are such; what was finished before is on the disk. Without a `Signals`
    around it, or in other threads than that of it, nothing changes.

    Raises:
      Interrupted: A signal came before.
    """
    signals = Signals._active
    if signals is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    with signals._turn:
        if signals._caught:
            raise Interrupted(signals._caught, RUNS_KEPT)
        signals._idle += 1
    try:
        yield
    finally:
        with signals._turn:
            signals._idle -= 1
