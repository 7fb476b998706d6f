"""What docs/corpora.md says of the command line is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dser_jax.cli import make_parser
from dser_jax.commands.prepare import CORPORA

TEXT = (Path(__file__).parents[2] / "docs" / "corpora.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("dser ")
]


def test_every_kind_of_corpus_is_in_the_table():
    assert sorted(re.findall(r"^\| `(\w+)` \| ", TEXT, re.MULTILINE)) == sorted(CORPORA)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command):
    args = make_parser().parse_args(shlex.split(command)[1:])
    assert args.run is not None


def test_flags_that_the_text_names_are_there():
    parser = make_parser()
    commands = next(
        a for a in parser._actions if a.dest != "help" and hasattr(a, "choices") and a.choices
    )
    there = {
        flag
        for name in ("prepare", "join", "sweep")
        for action in commands.choices[name]._actions
        for flag in action.option_strings
    }
    named = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert named <= there
    assert {"--convert", "--no-transcripts", "--all-rows", "--skip-bad", "--table"} <= named
