"""Finished runs on disk: a row and arrays for each, and what was planned.

In: outcomes. Out: a folder that survives kills and is read without JAX. Open `journal.py` first,
which writes it, then `reading.py` and `rows.py` (the row that a finished run leaves).
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.journal.files import (
        GRID_FOLDER,
        MISSING,
        SETTINGS_FOLDER,
        WEIGHTS_DIGESTS,
        Arrays,
        Row,
        check_weights,
        differences,
        read_bytes,
        read_manifest,
        weights_folder,
    )
    from dser_jax.journal.frame import results
    from dser_jax.journal.intervals import (
        Derived,
        Difference,
        Differences,
        Interval,
        Intervals,
        Resampled,
        interval_key,
        read_derived,
        read_differences,
        read_intervals,
        write_intervals,
    )
    from dser_jax.journal.journal import Journal
    from dser_jax.journal.merging import merge, part_of
    from dser_jax.journal.provenance import environment
    from dser_jax.journal.reading import JournalView, read_journal, refuse_prepared
    from dser_jax.journal.rows import make_row
else:
    __getattr__, __dir__, __all__ = exports(__name__)
