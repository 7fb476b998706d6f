"""SIGTERM, SIGUSR1 and Ctrl-C: noted at once, acted upon between two steps."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from types import FrameType

from dser_jax.system.progress import say

EXIT_INTERRUPTED = 75
"""The exit code of a command that a signal ended and that has saved everything: the same command
goes on. It is EX_TEMPFAIL of sysexits.h, by which a scheduler can tell it from a failure."""

NAMES = ("SIGTERM", "SIGUSR1", "SIGINT")
"""What is caught, where the system has it; Windows has no SIGUSR1."""

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
    spot, with the exit code 128 + its number. Both happen at once, even while the main thread
    waits for XLA, which may take minutes and during which Python calls no handler: a thread reads
    the numbers of the signals from the descriptor to which Python's own handler writes them.

    Signals that the process was told to ignore, as a shell does for the Ctrl-C of what it runs in
    the background, stay ignored. Outside of the main thread, where signals cannot be handled,
    nothing changes and nothing is caught.
    """

    def __init__(self) -> None:
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
                    self._note(number, None)
                    say(f"{self._caught}: finishing the step and saving; once more ends at once")
                elif now - first > ECHO_SECONDS:
                    _end(number)


def _end(number: int) -> None:
    """Ends the process without any cleaning up, save that a terminal gets its cursor back."""
    with contextlib.suppress(Exception):
        if os.isatty(2):
            os.write(2, b"\x1b[?25h\n")
    os._exit(128 + number)
