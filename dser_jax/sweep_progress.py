"""How far a sweep is, on stderr."""

from __future__ import annotations

from dser_jax.progress import Progress, say
from dser_jax.sweep import Tick


class SweepProgress(Progress):
    """Shows runs finished, lanes busy and the time.

    Args:
      total: Runs to train.
      before: Runs that an earlier call has finished.
    """

    def __init__(self, total: int, before: int = 0) -> None:
        super().__init__("trained", total, "runs")
        self._before = before

    def start(self, title: str) -> None:
        """Begins a group of runs, e.g. of one architecture; the program is compiled first."""
        self.go_on(title, "compiling")

    def committed(self) -> None:
        """Counts a run whose row is on disk."""
        self.advance()

    def __call__(self, tick: Tick) -> None:
        """Shows the lanes after an epoch."""
        self.tell(f"{tick.lanes_busy}/{tick.lanes} lanes busy, epoch {tick.epoch}")

    def __enter__(self) -> SweepProgress:
        if self._before:
            state = f"{self._total} to go" if self._total else "nothing to do"
            say(f"{self._before} runs are finished already, {state}")
        super().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        super().__exit__(kind)
        if kind is KeyboardInterrupt:
            kept = self._before + self._done
            say(f"interrupted: {kept} runs are finished and kept; the same command goes on")
