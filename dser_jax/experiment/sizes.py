"""How many lanes of a program turned out to fit, or to be fast, in a file of the journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.plan import run_id
from dser_jax.system import DataError, read_sealed, write_sealed


class Sizes:
    """Lanes of one program that this device has, or had; `lanes.json` has them of all.

    A resumed sweep takes them from there, whatever it would choose or measure by then.
    """

    def __init__(self, journal: Path, program: str, say: Callable[[str], Any]) -> None:
        """Reads nothing yet.

        Args:
          journal: Folder of the journal.
          program: What tells programs apart.
          say: Called with what is amiss, for the user to read.
        """
        self._path, self._key = journal / "lanes.json", f"{program} on {this_device()}"
        self._say = say

    def read(self) -> int | None:
        """Returns how many; None where nobody has found out."""
        return self._all().get(self._key)

    def write(self, lanes: int) -> None:
        """Remembers how many."""
        write_sealed(self._path, self._all() | {self._key: lanes})

    def _all(self) -> dict[str, int]:
        """Reads the file; where it is damaged, nothing is lost but a hint."""
        try:
            found = read_sealed(self._path, "how many lanes fit is found out again") or {}
        except DataError as error:
            self._say(str(error))
            return {}
        sound = {key: lanes for key, lanes in found.items() if type(lanes) is int and lanes > 0}
        if sound != found:
            self._say(f"{self._path}: what is no number of lanes is left out")
        return sound


def program_key(config: Config, dataset: Dataset) -> str:
    """Returns what tells the programs of a journal apart."""
    return run_id({"config": config.to_json(), "data": dataset.fingerprint})


def this_device() -> str:
    """Names the devices of this process, and says how many they are."""
    import jax

    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"
