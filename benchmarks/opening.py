"""What it costs to open features whose checksum is held against the manifest's.

A file of made-up functionals is opened in turns as the first time in a process, when its bytes are
read and digested, and as the second time, when the process knows it already; then each is read
through once, as training does. The file is in the page cache, as after it was written. Prints the
seconds of both by the clock, and how many a gigabyte the check takes: by the clock, and of the
processor, which is what is left where nobody else is at work.

    python benchmarks/opening.py --megabytes 1024
"""

import hashlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import in_turns, table
from record import finish
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

        computed = []

        def first() -> None:
            forget_digests()
            start = time.process_time()
            prepared.feature("x")
            computed.append(time.process_time() - start)

        sides = {
            "first in a process": first,
            "known already": lambda: prepared.feature("x"),
            "read through": lambda: float(prepared.feature("x")[0].sum()),
        }
        seconds = in_turns(sides, args.repeats)
    gigabytes = args.megabytes / 1024
    clock = (seconds["first in a process"] - seconds["known already"]) / gigabytes
    processor = statistics.median(computed[1:]) / gigabytes
    table(
        (f"{args.megabytes} MB of features", "seconds"),
        [[name, took] for name, took in seconds.items()],
    )
    print(f"the check takes {clock:.2f} s a gigabyte, {processor:.2f} s of the processor")
    result = {"check_seconds_a_gigabyte": clock, "processor_seconds_a_gigabyte": processor}
    finish("opening", args, {"seconds": seconds, **result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
