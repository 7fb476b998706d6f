"""A page's blocks of code, run one after the other as a reader would who pastes them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n+)?```(?P<kind>sh|python)\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code of a page.

    Attributes:
      kind: "sh" or "python".
      code: As it stands there.
      why: Why it is not run; empty for those that are.
    """

    kind: str
    code: str
    why: str


@dataclass(frozen=True)
class Followed:
    """A page whose blocks have been run.

    Attributes:
      folder: Where.
      outputs: What each of them printed on standard output.
      seconds: Processor time of each.
    """

    folder: Path
    outputs: dict[Block, str]
    seconds: dict[Block, float]

    def block(self, part: str) -> Block:
        """Returns the one block that holds these words."""
        (block,) = (each for each in self.outputs if part in each.code)
        return block

    def said(self, part: str) -> str:
        """Returns what the one block that holds these words printed."""
        return self.outputs[self.block(part)]


def blocks(text: str) -> list[Block]:
    """Finds the blocks of a page that can be run, those that are not among them."""
    return [Block(each["kind"], each["code"], each["why"] or "") for each in BLOCK.finditer(text)]


def follow(text: str, folder: Path, stand_ins: Mapping[str, str]) -> Followed:
    """Runs the blocks of a page in a folder.

    Args:
      text: The page.
      folder: Where.
      stand_ins: What stands in for what a reader has and this machine has not.
    """
    for words in stand_ins:
        assert words in text, f"a stand-in for what the page does not have: {words!r}"
    outputs, seconds = {}, {}
    for block in blocks(text):
        if block.why:
            continue
        code = block.code
        for words, other in stand_ins.items():
            code = code.replace(words, other)
        print("   ", code.strip().splitlines()[0][:90], flush=True)
        before = _used()
        outputs[block] = _run(block.kind, code, folder)
        seconds[block] = _used() - before
    return Followed(folder, outputs, seconds)


def _run(kind: str, code: str, folder: Path) -> str:
    here = Path(sys.executable).parent
    words = [sys.executable, "-c"] if kind == "python" else ["bash", "-euo", "pipefail", "-c"]
    environment = {
        **os.environ,
        "PATH": f"{here}:{os.environ['PATH']}",
        "COLUMNS": "80",
        "XDG_CACHE_HOME": str(folder.parent / "cache"),  # As for a reader: nothing is compiled yet.
    }
    done = subprocess.run(
        [*words, code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{code}\nended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _used() -> float:
    """Processor time of the processes that this one started and that have ended, in seconds."""
    times = os.times()
    return times.children_user + times.children_system
