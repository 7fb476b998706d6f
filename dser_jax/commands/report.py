"""`dser report`: tables and figures of one sweep or several, a page, runs for trackers."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_jax.commands.base import Commands, add_command
from dser_jax.system import DserError, tell

DESCRIPTION = """\
Prints the tables of a sweep, and writes them with figures to a folder; of
several sweeps each to its own, and one report.md of all to --out. Or writes
one page with all of it to open in a browser, mail or publish; of two sweeps,
one that compares them. Or hands the runs to TensorBoard or Weights & Biases.

examples:
  dser report runs/weights
  dser report runs/weights --all           # with every baseline
  dser report runs/weights --html          # runs/weights/report/report.html
  dser report runs/before runs/after --html compared.html
  dser report runs/weights --tensorboard logs   # tensorboard --logdir logs
  dser report runs/weights --wandb emotions
"""


def add(commands: Commands) -> None:
    """Adds the subcommand to the command line."""
    parser = add_command(
        commands,
        "report",
        run,
        "print and write the tables of a sweep, or its page",
        description=DESCRIPTION,
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="the --out of a sweep")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write (DIR/report); of several sweeps a report.md of all, which shows the "
        "figures in their own folders",
    )
    parser.add_argument("--no-figures", action="store_true", help="write the tables alone")
    parser.add_argument(
        "--validation",
        action="store_true",
        help="scores of the validation rows, to choose settings by (DIR/report-validation)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="all baselines, not only the best on validation, and scores on parts of the test set",
    )
    parser.add_argument(
        "--batch32",
        action="store_true",
        help="also the mean CCC over 32-row batches (always shown under the protocol paper)",
    )
    parser.add_argument("--intervals", action="store_true", help="intervals in table.tex, too")
    others = parser.add_argument_group("instead of tables and figures")
    others.add_argument(
        "--html",
        nargs="?",
        const="",
        metavar="FILE",
        help="a page, which needs no network; of two sweeps one that compares them "
        "(DIR/report/report.html)",
    )
    others.add_argument(
        "--tensorboard",
        type=Path,
        metavar="LOGDIR",
        help="settings, scores and curves of all runs for TensorBoard (extra tensorboard)",
    )
    others.add_argument(
        "--wandb",
        metavar="PROJECT",
        help="the same for a project of Weights & Biases (extra wandb); WANDB_MODE=offline works",
    )


def run(args: argparse.Namespace) -> None:
    """Carries out `dser report`."""
    others = (args.html, args.tensorboard, args.wandb)
    if any(each is not None for each in others):
        of_tables = ("out", "no_figures", "validation", "all", "batch32", "intervals")
        if any(getattr(args, name) for name in of_tables):
            flags = [f"--{name.replace('_', '-')}" for name in of_tables]
            raise DserError(
                f"{', '.join(flags[:-1])} and {flags[-1]} are of the tables and figures; leave "
                "them out, or --html, --tensorboard and --wandb"
            )
        _write_others(args)
        return
    from dser_jax.report import Asked

    asked = Asked(args.all, args.batch32, args.intervals)
    if len(args.folders) > 1:
        from dser_jax.report import write_collection

        if args.out is None:
            raise DserError(
                f"a report of {len(args.folders)} sweeps needs --out DIR, for a report.md of all"
            )
        if args.validation:
            raise DserError("--validation is for one sweep; leave it out, or name one")
        page = write_collection(args.folders, args.out, draw=not args.no_figures, asked=asked)
        tell(f"All together: {page}")
        return
    from dser_jax.report import write_report

    part = "validation" if args.validation else None
    write_report(args.folders[0], args.out, draw=not args.no_figures, part=part, asked=asked)


def _write_others(args: argparse.Namespace) -> None:
    """Writes the page, and hands the runs to trackers."""
    from dser_jax.journal import read_journal
    from dser_jax.system import plural

    if args.html is not None:
        from dser_jax.report import write_page

        file = Path(args.html) if args.html else None
        if file is not None and file.is_dir():
            raise DserError(f"--html {file}: a folder; give a file, or sweeps before --html")
        tell(f"Page: {write_page(args.folders, file)}")
    if args.tensorboard is None and args.wandb is None:
        return
    from dser_jax.report import to_tensorboard, to_wandb, tracked

    for folder in args.folders:
        view = read_journal(folder)
        for notice in view.notices:
            tell(notice)
        if args.tensorboard is not None:
            written = to_tensorboard(tracked(view), args.tensorboard)
            left = len(view.rows) - len(written)
            before = f", {left} were there already" if left else ""
            tell(f"TensorBoard: {plural(len(written), 'run')} in {args.tensorboard}{before}")
        if args.wandb is not None:
            sent = to_wandb(tracked(view), args.wandb, folder.resolve().name)
            tell(f"W&B: {plural(sent, 'run')} to the project {args.wandb}")
