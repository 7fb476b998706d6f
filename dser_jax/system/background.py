"""What is made beside something else: functions in a thread, other work in a child process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from dser_jax.system.errors import DserError, last_line
from dser_jax.system.interrupt import LAST


class NotMade(DserError):
    """Making something in the background has failed, for the reason in its `__cause__`."""


class Later:
    """A function that is still being made; calling it waits for it.

    Args:
      making: Gives the function, or the error that making it has ended with.
    """

    def __init__(self, making: Future[Callable[..., Any]]) -> None:
        self._making = making

    def __call__(self, *given: Any) -> Any:
        """Calls the function; raises `NotMade` where making it has failed."""
        return self._made()(*given)

    def wait(self) -> None:
        """Returns once it is made; raises `NotMade` where making it has failed."""
        self._made()

    def _made(self) -> Callable[..., Any]:
        try:
            return self._making.result()
        except Exception as error:  # Not to be taken for one of a call.
            raise NotMade(f"cannot compile a program: {last_line(str(error))}") from error


def make_later(makers: Sequence[Callable[[], Callable[..., Any]]]) -> list[Later]:
    """Makes functions in the background, one after the other.

    A process that ends before waits for them: they may be deep in C, and a thread that lived on
    would meet there what the end has torn down. A second signal does not wait.

    Args:
      makers: What makes each function, in this order.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="later")
    later = [Later(pool.submit(make)) for make in makers]
    pool.shutdown(wait=False)
    return later


class Beside:
    """A child process beside this one, whose work is welcome and not needed: it may end any time.

    It has a session of its own, so that Ctrl-C is for this process alone, which ends the child.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen | None = None

    def begin(self, command: Sequence[str], given: str, environment: Mapping[str, str]) -> None:
        """Starts a child, unless one is under way; nothing happens where that is not possible.

        Args:
          command: What to run; what it says is lost.
          given: What it reads.
          environment: Variables to add to those of this process.
        """
        if self._child is not None:
            return
        with suppress(OSError):
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **environment},
                start_new_session=True,
                text=True,
            )
            LAST.append(self.close)
            assert self._child.stdin is not None
            self._child.stdin.write(given)
            self._child.stdin.close()

    def wait(self, seconds: float) -> bool:
        """Waits for the child, and ends it after so many seconds; returns whether it ended well."""
        if self._child is None:
            return False
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        well = self._child.returncode == 0
        self.close()
        return well

    def close(self) -> None:
        """Ends the child, if there is one, and what it started."""
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(ValueError):
            LAST.remove(self.close)
        with suppress(OSError):
            if child.poll() is None and hasattr(os, "killpg"):
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
        child.wait()
