"""A journal as a pandas DataFrame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dser_jax.journal.reading import read_journal
from dser_jax.plan import LOSS_WEIGHTS

if TYPE_CHECKING:
    import pandas

_FIRST = ("run", "name", "seed", "status", "kind", "network", "features", "protocol", "split")


def results(folder: str | Path) -> pandas.DataFrame:
    """Reads the runs of a sweep, also while it trains, as a table: one row a run.

    Runs of different splits do not compare: group them by `split` and `name`. Where folds are
    pooled, the row of all is there beside those of the folds.

    Returns:
      Columns `run`, `name`, `seed`, `status`, `kind` ("baseline", "pooled" for a network over all
      folds, or none), ..., `split`, one for each traced setting (alpha, beta, gamma, learning_rate,
      ...), `epochs`, `best_epoch`, and for both parts of the data and each measure one for each
      attribute and the mean: `test_ccc_valence`, ..., `validation_rmse_mean`.

    Raises:
      DserError: There is no journal, or one of another format.
    """
    import pandas

    records = []
    for row in read_journal(folder).rows:
        record = {name: row.get(name) for name in _FIRST}
        settings = dict(row.get("hparams") or {})
        weights = settings.pop("loss_weights", (None,) * len(LOSS_WEIGHTS))
        record |= dict(zip(LOSS_WEIGHTS, weights, strict=True)) | settings
        record |= {name: row.get(name) for name in ("epochs", "best_epoch")}
        for part in ("validation", "test"):
            for measure, scores in row.get(part, {}).items():
                record |= {f"{part}_{measure}_{attr}": score for attr, score in scores.items()}
        records.append(record)
    return pandas.DataFrame.from_records(records)
