"""Which runs wait, which worker has which, and which are to be tried again: what a driver keeps."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(eq=False)
class Suspects:
    """Runs that were under way when a worker died: to be trained again, apart from all others.

    Attributes:
      runs: Their ids.
      places: Where they have failed.
      worker: The one that is to train them, once it has ended what it has.
    """

    runs: list[str]
    places: frozenset[str]
    worker: int | None = None


class Handout:
    """Which runs wait, which worker has which, and which are to be tried again; knows no Ray.

    Args:
      runs: Ids of what is to be trained.
      retries: How often a run that fails alone is tried again.

    Attributes:
      left: Runs that have not ended.
    """

    def __init__(self, runs: Sequence[str], retries: int) -> None:
        self.left = set(runs)
        self._retries = retries
        self._waiting = deque(runs)
        self._suspects: list[Suspects] = []
        self._hands: dict[int, list[str]] = {}
        self._apart: dict[int, Suspects] = {}
        self._failures: Counter[str] = Counter()

    def hand(self, worker: int) -> list[str]:
        """Returns the runs that a worker has."""
        return self._hands.get(worker, [])

    def fresh(self, worker: int) -> bool:
        """Tells whether the runs that a worker has had never failed before."""
        return worker not in self._apart

    def give(self, worker: int, place: str, lanes: int, places: dict[int, str]) -> list[str]:
        """Hands runs to a worker.

        Args:
          worker: Its number.
          place: Where it is.
          lanes: How many it trains at a time.
          places: Where each worker is that is ready, this one included.
        """
        hand = self._hands.setdefault(worker, [])
        if worker in self._apart:
            if hand:
                return []
            del self._apart[worker]
        if (suspects := self._suspects_for(worker, place, set(places.values()))) is not None:
            if hand:
                return []
            self._suspects.remove(suspects)
            self._apart[worker] = suspects
            runs = suspects.runs
        else:
            others = sum(len(self.hand(w)) for w in places if w not in self._apart)
            fair = -(-(len(self._waiting) + others) // len(places))
            spare = min(lanes // 4 + 1, len(self._waiting) // len(places))
            room = min(lanes + spare, fair) - len(hand)
            runs = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        hand += runs
        return runs

    def _suspects_for(self, worker: int, place: str, places: set[str]) -> Suspects | None:
        """Finds runs that failed elsewhere, or at each place there is, for this worker alone."""
        for suspects in self._suspects:
            elsewhere = place not in suspects.places or places <= suspects.places
            if suspects.worker == worker or (suspects.worker is None and elsewhere):
                suspects.worker = worker
                return suspects
        return None

    def ended(self, worker: int, run: str) -> bool:
        """Notes that a run has ended; False if it already had."""
        if run in self.hand(worker):
            self._hands[worker].remove(run)
        if run not in self.left:
            return False
        self.left.remove(run)
        return True

    def take_back(self, worker: int) -> None:
        """Puts the runs of a worker that ended for a reason of its own before the others."""
        runs = self._release(worker)
        suspects = self._apart.pop(worker, None)
        if suspects is None:
            self._waiting.extendleft(reversed(runs))
        elif runs:
            self._suspects.insert(0, Suspects(runs, suspects.places))

    def lost(self, worker: int, place: str, guilty: str | None = None) -> str | None:
        """Takes the runs back of a worker that died with them, to be tried again in halves.

        Args:
          worker: Its number.
          place: Where it was.
          guilty: The run that failed, where that is known.

        Returns:
          The run that has failed alone often enough to be given up, if there is one.
        """
        runs = self._release(worker)
        before = self._apart.pop(worker, None)
        places = frozenset({place}) | (before.places if before else frozenset())
        self._failures.update([guilty] if guilty else runs)
        parts = [[guilty]] if guilty else []
        rest = [run for run in runs if run != guilty]
        middle = -(-len(rest) // 2)
        parts += [part for part in (rest[:middle], rest[middle:]) if part]
        given_up = None
        if parts and len(parts[0]) == 1 and (guilty or len(parts) == 1):
            (alone,) = parts[0]
            if self._failures[alone] > self._retries:
                given_up = alone
                self.left.discard(alone)
                del parts[0]
        self._suspects[:0] = [Suspects(part, places) for part in parts]
        return given_up

    def _release(self, worker: int) -> list[str]:
        """Frees what a worker has, and what waits for it; returns its runs that have not ended."""
        for suspects in self._suspects:
            if suspects.worker == worker:
                suspects.worker = None
        return [run for run in self._hands.pop(worker, []) if run in self.left]
