"""The next group's program, compiled by a child while a group trains, so that it begins at once.

The child leaves it in the compilation cache, where the sweep finds it. Nothing of a result depends
on it: a child that fails, or guesses another number of lanes, has worked for nothing. A thread
would do as well, but trace the program on the time of the loop that keeps the device busy, and
it could not be ended. On a processor there is no core to spare, and nothing is compiled ahead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from dser_jax.config import Config
from dser_jax.data import load_dataset, load_prepared
from dser_jax.engine import Tick, compile_ahead, free_bytes, is_processor
from dser_jax.experiment.options import Options
from dser_jax.experiment.sizes import Sizes, program_key
from dser_jax.system import Beside, enable_compile_cache, nothing_to_lose, use_all_cores

SECONDS = 300.0
"""Time that a child may still take when its group's turn comes; compiling anew takes less."""

CHILD = (sys.executable, "-c", "from dser_jax.experiment.ahead import compile_next; compile_next()")

ENVIRONMENT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""The device's memory is for the sweep; compiling needs what is left of it."""


class Ahead:
    """Compiles the program of a group while another trains, where that is of use.

    Args:
      data: Folder of the prepared data set.
      journal: Folder of the journal.
      options: How the sweep is carried out.
    """

    def __init__(self, data: str | Path, journal: Path, options: Options) -> None:
        self._useful = options.ray is None and _useful()
        self._free = free_bytes(jax.local_devices()[0]) if self._useful else None  # while empty
        self._given = {"data": str(data), "journal": str(journal), "lanes": options.lanes}
        self._child = Beside()

    def beginning(
        self, progress: Callable[[Tick], None], following: Sequence[tuple[Config, int]]
    ) -> Callable[[Tick], None]:
        """Returns a hook that also begins with what follows, once epochs are trained.

        Args:
          progress: The hook that it adds to.
          following: Settings and number of runs of the next program; empty where this is the last.
        """

        def both(tick: Tick) -> None:
            progress(tick)
            if tick.epochs and self._useful:
                for config, count in following:
                    self._begin(config, count)

        return both

    def _begin(self, config: Config, count: int) -> None:
        job = {**self._given, "config": config.to_json(), "count": count, "free": self._free}
        self._child.begin(CHILD, json.dumps(job), ENVIRONMENT)

    def wait(self) -> None:
        """Waits for what is being compiled."""
        with nothing_to_lose():
            self._child.wait(SECONDS)

    def close(self) -> None:
        """Ends what is being compiled."""
        self._child.close()


def _useful(cache: str = "jax_compilation_cache_dir") -> bool:
    """Returns whether a program that is compiled elsewhere is found here, and worth it."""
    return not is_processor(jax.local_devices()[0]) and bool(getattr(jax.config, cache))


def compile_next(read: Callable[[], str] = sys.stdin.read) -> None:
    """Compiles what the parent process asks for, in the child."""
    job = json.loads(read())
    use_all_cores()
    enable_compile_cache()
    config = Config.from_json(job["config"])
    dataset = load_dataset(load_prepared(job["data"]), config)
    sizes = Sizes(Path(job["journal"]), program_key(config, dataset), lambda text: None)
    known = {"at_most": sizes.lanes(), "schedule": sizes.schedule()}
    given = {"lanes": job["lanes"], "free": job["free"]}
    compile_ahead(dataset, config, job["count"], **given, **known)
