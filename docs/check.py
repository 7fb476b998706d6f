"""Follows README and documents as a reader would, and holds what they show against what comes.

    make docs-check                       all pages, a quarter of an hour on two cores
    python docs/check.py tutorial         one page
    python docs/check.py --write          what came becomes what the pages show

A page marks what is shown:

    <!-- shown NAME -->.62<!-- end -->    inside of a line, not at its beginning; or around lines
    <!-- not run: WHY -->                 before a block of code that is not followed

`docs/checked/PAGE.py` says what each NAME is, once the blocks of the page have been run, and how
far a number may lie off on another machine. `docs/checked/shown.json` keeps what came when it was
last written, so that a number changed by hand differs from it, however little.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from checked.blocks import follow
from checked.parts import ROOT, kept, problems, read, write

PAGES = ("tutorial", "share", "predict", "searches", "readme")
"""In this order: what one makes, a later one with the same FOLDER reads."""


def main() -> None:
    """Follows pages in a folder of their own; the exit code is 1 where one says something else."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "pages", nargs="*", choices=[*PAGES, []], metavar="PAGE", help="which pages"
    )
    parser.add_argument("--write", action="store_true", help="write what came into the pages")
    parser.add_argument("--folder", type=Path, help="where to run (a new temporary folder)")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="dser-docs-"))
    wrong = []
    for name in args.pages or PAGES:
        page = importlib.import_module(f"checked.{name}")
        text = read(page.PAGE)
        here = folder / page.FOLDER
        here.mkdir(parents=True, exist_ok=True)
        print(f"{page.PAGE}: running in {here}", flush=True)
        if hasattr(page, "ready"):
            page.ready(here)
        came = page.show(follow(text, here, page.STAND_INS))
        if args.write:
            write(page.PAGE, came)
        else:
            wrong += [f"{page.PAGE}: {what}" for what in problems(text, came, kept(page.PAGE))]
    print("\n".join(wrong) or ("written" if args.write else f"{ROOT.name}: the pages hold"))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
