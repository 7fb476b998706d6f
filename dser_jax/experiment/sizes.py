"""How a program is to train on a device: lanes that fit, or were fast, and the order of steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dser_jax.config import Config
from dser_jax.data import Dataset
from dser_jax.models import RULE, SCHEDULES
from dser_jax.plan import run_id
from dser_jax.system import DataError, read_sealed, write_sealed


class Sizes:
    """What was found out of one program on this device; `lanes.json` of a journal has it of all.

    A resumed sweep takes it from there, whatever it would choose or measure by then.
    """

    def __init__(self, journal: Path, program: str, say: Callable[[str], Any]) -> None:
        """Reads nothing yet.

        Args:
          journal: Folder of the journal.
          program: What tells programs apart.
          say: Called with what is amiss, for the user to read.
        """
        self._path, self._key = journal / "lanes.json", f"{program} on {this_device()}"
        self._steps, self._say, self._said = f"steps of {self._key}", say, set[str]()

    def lanes(self) -> int | None:
        """Returns how many; None where nobody has found out."""
        found = self._all().get(self._key)
        return found if type(found) is int else None

    def schedule(self) -> str | None:
        """Returns what recurrences follow, by its name; None where that was not decided."""
        found = self._all().get(self._steps)
        return found if isinstance(found, str) else None

    def keep(self, lanes: int) -> None:
        """Remembers how many lanes."""
        write_sealed(self._path, self._all() | {self._key: lanes})

    def follow(self, schedule: str) -> None:
        """Remembers what recurrences follow."""
        write_sealed(self._path, self._all() | {self._steps: schedule})

    def _all(self) -> dict[str, int | str]:
        """Reads the file; where it is damaged, nothing is lost but a hint."""
        try:
            lost = "how many lanes fit, and their order of steps, is found out again"
            found = read_sealed(self._path, lost) or {}
        except DataError as error:
            self._once(str(error))
            return {}
        sound = {key: value for key, value in found.items() if _sound(key, value)}
        if sound != found:
            self._once(f"{self._path}: what is no number of lanes, nor a schedule, is left out")
        return sound

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def _sound(key: str, value: Any) -> bool:
    if key.startswith("steps of "):
        return isinstance(value, str) and value in {RULE, *SCHEDULES}
    return type(value) is int and value > 0


def program_key(config: Config, dataset: Dataset) -> str:
    """Returns what tells the programs of a journal apart."""
    return run_id({"config": config.to_json(), "data": dataset.fingerprint})


def this_device() -> str:
    """Names the devices of this process, and says how many they are."""
    import jax

    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"
