"""`dser merge`: the parts of a sweep as one."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from dser_jax.commands.base import Commands, add_command
from dser_jax.system import DserError, replacing_folder, tell

_HELP = """\
Joins the parts of a sweep that `dser sweep --part I/N` trained, e.g. each on
another machine, into one. It can be done again when more parts have finished.

examples:
  dser merge runs/weights                 # all of runs/weights/part-*-of-*
  dser merge here/part-1-of-2 there/part-2-of-2 --out runs/weights
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(commands, "merge", run, "join the parts of a sweep", description=_HELP)
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="the --out of a sweep, or its parts"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (the --out of the sweep)")


def run(args: argparse.Namespace) -> None:
    """Carries out `dser merge`."""
    from dser_jax.journal import merge
    from dser_jax.report import write_report
    from dser_jax.stats import pool_folds, update_intervals

    if len(args.folders) == 1:
        out = args.out or args.folders[0]
        parts = sorted(filter(_begun, args.folders[0].glob("part-*-of-*")))
        if not parts:
            raise DserError(f"{args.folders[0]}: no part-I-of-N in it; `--part I/N` makes them")
    else:
        out, parts = args.out, args.folders
        if out is None:
            raise DserError("parts from several places need --out")
    view = merge(parts, out, pool_folds)
    _take_beside(parts, out)
    for notice in [*view.notices, *update_intervals(view)]:
        tell(notice)
    write_report(out)


def _begun(part: Path) -> bool:
    """Returns whether a part has come to its runs, from what it may train before."""
    return any((part / name).exists() for name in ("manifest.json", "rows.jsonl"))


def _take_beside(parts: Sequence[Path], out: Path) -> None:
    """Copies the journals of what parts train before their runs, all of them alike.

    Of each the one that has most runs, in the place of one that has a part of these.
    """
    names = {path.parent.name for part in parts for path in part.glob("*/rows.jsonl")}
    for name in sorted(names):
        runs = {part / name: _runs(part / name) for part in parts}
        found = max(runs, key=lambda journal: len(runs[journal]))
        if not _runs(out / name) < runs[found]:
            continue
        with replacing_folder(out / name) as made:
            ignored = shutil.ignore_patterns(".*", "lock*")
            shutil.copytree(found, made, ignore=ignored, dirs_exist_ok=True)
            shutil.rmtree(out / name, ignore_errors=True)


def _runs(folder: Path) -> set[str]:
    from dser_jax.journal import read_journal

    return {row["run"] for row in read_journal(folder).rows} if folder.exists() else set()
