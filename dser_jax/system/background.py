"""What is made beside something else, in a thread, and waited for only when it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Later:
    """A function that is still being made; calling it waits for it.

    Args:
      making: Gives the function, or the error that making it has ended with.
    """

    def __init__(self, making: Future[Callable[..., Any]]) -> None:
        self._making = making

    def __call__(self, *given: Any) -> Any:
        """Calls the function; raises what making it has raised."""
        return self._making.result()(*given)

    def wait(self) -> None:
        """Returns once it is made; raises what making it has raised."""
        self._making.result()


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
