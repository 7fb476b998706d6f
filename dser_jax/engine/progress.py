"""How far a sweep is, on stderr."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dser_jax.system import Progress, plural, say, span

RATE_SECONDS = 30.0
"""The time over which the rate is taken."""
SAMPLE_SECONDS = 0.5
"""Time between two looks at how many epochs have been trained."""


class Tick(NamedTuple):
    """What the lanes of a program have done since it began.

    Attributes:
      busy: Lanes with a run.
      lanes: All lanes.
      epochs: Epochs trained so far, of lanes with a run.
      lane_epochs: The same of all lanes.
      done_epochs: Mean epochs of the runs that have ended; NaN before the first.
    """

    busy: int
    lanes: int
    epochs: int
    lane_epochs: int
    done_epochs: float

    def after(self, before: Tick) -> Tick:
        """Returns the same with the epochs counted in that other lanes had trained before."""
        epochs = before.epochs + self.epochs
        return self._replace(epochs=epochs, lane_epochs=before.lane_epochs + self.lane_epochs)


class SweepProgress(Progress):
    """Shows runs finished, lanes busy, epochs a second, the time left and the best run so far.

    Args:
      total: Runs to train.
      before: Runs that an earlier call has finished.
      rows: Their rows, among which the best may be.
    """

    def __init__(self, total: int, before: int = 0, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__("trained", total, "run")
        self._before = before
        self._max_epochs: int | None = None
        self._tick: Tick | None = None
        self._done_before = 0  # Runs of the programs before this one, and their epochs.
        self._epochs = self._lane_epochs = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._rate: float | None = None  # Lane-epochs a second of late.
        self._first: tuple[float, int] | None = None  # When a program's first round had ended.
        self._statuses: Counter[str] = Counter()
        self._best: tuple[float, str] | None = None
        for row in rows:
            self._consider(row)

    def start(self, title: str, note: str = "", max_epochs: int | None = None) -> None:
        """Begins the runs of a program, which is compiled until the first tick.

        Args:
          title: What is trained.
          note: What to say beside it meanwhile.
          max_epochs: Epochs of a run at most.
        """
        self._max_epochs = max_epochs
        if self._tick is not None:
            self._epochs += self._tick.epochs
            self._lane_epochs += self._tick.lane_epochs
        self._tick, self._done_before = None, self._done
        self._recent.clear()
        self._rate = self._first = None
        self.go_on(title, f"compiling, {note}" if note else "compiling")

    def __call__(self, tick: Tick) -> None:
        """Shows the lanes after a round."""
        now = time.monotonic()
        self._tick, self._note = tick, ""
        self._first = self._first or (now, tick.lane_epochs)
        recent = self._recent
        if not recent or now - recent[-1][0] >= SAMPLE_SECONDS:
            recent.append((now, tick.epochs))
            while len(recent) > 2 and now - recent[1][0] >= RATE_SECONDS:
                recent.popleft()
            epochs, seconds = recent[0][1], now - recent[0][0]
            self._rate = (tick.epochs - epochs) / seconds if seconds else None
        if tick.epochs:  # Before that a line of a log would tell nothing, and the next is far.
            self._show(now)

    def pace(self) -> tuple[int, float]:
        """Returns how many epochs the lanes of a program have trained, in how many seconds.

        Both since its first round had ended, so that nothing is compiled meanwhile; lanes without a
        run count as well, as they take as long.
        """
        if self._tick is None or self._first is None:
            return 0, 0.0
        began, before = self._first
        return self._tick.lane_epochs - before, time.monotonic() - began

    def committed(self, row: Mapping[str, Any]) -> None:
        """Counts a run whose row is on disk."""
        self._statuses[row["status"]] += 1
        self._consider(row)
        self.advance()

    def _consider(self, row: Mapping[str, Any]) -> None:
        """Keeps a row's score, if it is the best so far."""
        if row["status"] != "ok":
            return
        ccc = row["validation"]["ccc"]["mean"]
        if math.isfinite(ccc) and (self._best is None or ccc > self._best[0]):
            self._best = ccc, row["name"]

    def details(self) -> list[str]:
        """Returns the lanes, the rate and the best run; before the first tick, what is awaited."""
        parts = super().details()
        if (tick := self._tick) is not None:
            parts.append(f"{tick.busy}/{tick.lanes} lanes busy")
        if (rate := self._rate) is not None:
            text = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
            parts.append(f"{text} {'epoch' if text == '1' else 'epochs'}/s")
        return [*parts, *self._best_text()]

    def _best_text(self) -> list[str]:
        if self._best is None:
            return []
        return [f"best validation CCC {self._best[0]:.3f} ({self._best[1]!r})"]

    def left(self, now: float) -> float | None:
        """Estimates the seconds left, as if the runs of programs to come were like these.

        Runs that end early are the first to have ended, so their mean alone would promise too
        much: all runs begun, those under way included, have no fewer epochs than were trained.
        """
        tick, rate = self._tick, self._rate
        if tick is None or not rate or not math.isfinite(tick.done_epochs):
            return None
        begun = self._done - self._done_before + tick.busy
        a_run = max(tick.done_epochs, tick.epochs / max(1, begun))
        epochs = a_run * (self._total - self._done_before) - tick.epochs
        return epochs / rate if epochs > 0 else None

    def time_left(self, now: float) -> str:
        """Tells how long it will take; at most how long, while no run has ended."""
        if text := super().time_left(now):
            return text
        bound = self._longest()
        return "" if bound is None else f"at most {span(bound)} left"

    def _longest(self) -> float | None:
        """Returns the seconds that it takes if early stopping ends no run, and none is slower."""
        tick, rate, longest = self._tick, self._rate, self._max_epochs
        if tick is None or not rate or not tick.busy or longest is None:
            return None
        waiting = max(0, self._total - self._done - tick.busy)
        under_way = longest
        if math.isnan(tick.done_epochs):  # Then all began together.
            under_way = max(0.0, longest - tick.epochs / tick.busy)
        return (under_way + math.ceil(waiting / tick.lanes) * longest) * tick.busy / rate

    def summary(self, seconds: float) -> str:
        """Tells how many runs were trained, how busy the lanes were, and what came out."""
        tick = self._tick or Tick(0, 0, 0, 0, math.nan)
        parts = [super().summary(seconds)]
        if lane_epochs := self._lane_epochs + tick.lane_epochs:
            parts.append(f"lanes {(self._epochs + tick.epochs) / lane_epochs:.0%} busy")
        parts += [f"{n} {status}" for status, n in self._statuses.items() if status != "ok"]
        return ", ".join([*parts, *self._best_text()])

    def __enter__(self) -> SweepProgress:
        if self._before:
            state = f"{self._total} to go" if self._total else "nothing to do"
            say(f"{_are(self._before)} finished already, {state}")
        super().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        super().__exit__(kind)
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            kept = self._before + self._done
            say(f"interrupted: {_are(kept)} finished and kept; the same command goes on")


def _are(count: int) -> str:
    return f"{plural(count, 'run')} {'is' if count == 1 else 'are'}"
