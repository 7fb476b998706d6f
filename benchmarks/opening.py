"""What it costs to open features whose checksum is held against the manifest's.

A file of made-up functionals is opened in turns as the first time in a process, when its bytes are
read and digested, and as the second time, when the process knows it already; then each is read
through once, as training does. The file is in the page cache, as after it was written. Prints the
seconds of both, and how many a gigabyte the check takes.

    python benchmarks/opening.py --megabytes 1024
"""

import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import finish, in_turns, table
from sizes import parse

ROWS = 1000


def make_folder(folder: Path, megabytes: int):
    """Makes a prepared data set with functionals of so many megabytes."""
    from dser_jax.corpora import Utterance
    from dser_jax.data import Prepared

    width = megabytes * 2**20 // (4 * ROWS)
    path = folder / "features" / "x.npy"
    path.parent.mkdir()
    random = np.random.default_rng(0)
    np.save(path, random.random((ROWS, width), np.float32))
    an_hour_ago = time.time() - 3600  # What was just written is digested each time.
    os.utime(path, (an_hour_ago, an_hour_ago))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry = {"kind": "hsf", "columns": [f"x{i}" for i in range(width)], "sha256": digest}
    manifest = {"features": {"x": entry | {"source": "made up"}}}
    return Prepared(folder, manifest, tuple(Utterance(f"u{i}") for i in range(ROWS)))


def main() -> int:
    """Measures both, and prints the difference."""
    from dser_jax.system import forget_digests

    args = parse(__doc__, "opening", {"megabytes": "of the features"})
    with tempfile.TemporaryDirectory() as folder:
        prepared = make_folder(Path(folder), args.megabytes)

        def first() -> None:
            forget_digests()
            prepared.feature("x")

        sides = {
            "first in a process": first,
            "known already": lambda: prepared.feature("x"),
            "read through": lambda: float(prepared.feature("x")[0].sum()),
        }
        seconds = in_turns(sides, args.repeats)
    more = seconds["first in a process"] - seconds["known already"]
    gigabyte = more * 1024 / args.megabytes
    table(
        (f"{args.megabytes} MB of features", "seconds"),
        [[name, took] for name, took in seconds.items()],
    )
    print(f"the check takes {more:.2f} s, {gigabyte:.2f} s a gigabyte")
    finish("opening", args, {"seconds": seconds, "check_seconds_a_gigabyte": gigabyte})
    return 0


if __name__ == "__main__":
    sys.exit(main())
