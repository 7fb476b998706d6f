"""A journal's rows -> means, intervals, paired tests, tables; and the baselines.

In: rows. Out: numbers that a report prints, none of them worded. Open `table.py` first, then
`paired.py` (tests over seeds, Holm's correction) and `bootstrap.py` (intervals over utterances).
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.stats.baselines import Baseline, check_baselines, fit_baselines, plan_baselines
    from dser_jax.stats.bootstrap import update_intervals
    from dser_jax.stats.paired import (
        LEAST,
        LEVEL,
        PairedTest,
        Pairs,
        Row,
        SignedRank,
        Summary,
        by_seed,
        holm,
        pair,
        pair_by_seed,
        paired_t,
        signed_rank,
        summary,
    )
    from dser_jax.stats.searched import PAPER_RATES, RATES, Point, Search, searches
    from dser_jax.stats.settings import settings_of
    from dser_jax.stats.subsets import (
        LEAST_SCORED,
        PartScore,
        Shared,
        marks_of,
        part_scores,
        parts_of,
        shared_with_training,
    )
    from dser_jax.stats.table import (
        COLUMNS,
        LOST,
        Comparison,
        Table,
        TableRow,
        count_lost,
        in_words,
        is_baseline,
        is_whole,
        learned,
        score,
        tables,
        untrained,
    )
else:
    __getattr__, __dir__, __all__ = exports(__name__)
