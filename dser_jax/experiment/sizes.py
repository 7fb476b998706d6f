"""How many lanes of a program turned out to fit on a device, in a file of the journal."""

from __future__ import annotations

import json
from pathlib import Path

from dser_jax.system import write_text


class Sizes:
    """Lanes of one program that fit on this device; `lanes.json` has them of all."""

    def __init__(self, journal: Path, program: str) -> None:
        """Reads nothing yet.

        Args:
          journal: Folder of the journal.
          program: What tells programs apart.
        """
        self._path, self._key = journal / "lanes.json", f"{program} on {this_device()}"

    def read(self) -> int | None:
        """Returns how many fit; None where nobody has found out."""
        return self._all().get(self._key)

    def write(self, lanes: int) -> None:
        """Remembers how many fit."""
        known = self._all() | {self._key: lanes}
        write_text(self._path, json.dumps(known, indent=1) + "\n")

    def _all(self) -> dict[str, int]:
        try:
            return json.loads(self._path.read_bytes())
        except (OSError, ValueError):  # Nothing is lost but a hint.
            return {}


def this_device() -> str:
    """Names the devices of this process, and says how many they are."""
    import jax

    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"
