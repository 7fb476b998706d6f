"""A journal's rows -> means, intervals, paired tests, tables; and the baselines.

In: rows. Out: numbers that a report prints, none of them worded. Open `table.py` first, then
`rows.py` (what a row says), `means.py` and `paired.py` (intervals and tests over seeds, Holm's
correction) and `bootstrap.py` (intervals over utterances). `arms/` holds many settings against each
other: tests of equivalence, ranks, power.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.stats.arms.effects import Effect, effect_size
    from dser_jax.stats.arms.front import Beyond, beyond, front
    from dser_jax.stats.arms.power import power_of_tost, seeds_needed
    from dser_jax.stats.arms.ranks import Ranking, friedman
    from dser_jax.stats.arms.tost import Equivalence, tost
    from dser_jax.stats.arms.verdicts import Verdict, verdicts
    from dser_jax.stats.baselines.fitting import fit_baselines
    from dser_jax.stats.baselines.planning import Baseline, check_baselines, plan_baselines
    from dser_jax.stats.bootstrap import update_intervals
    from dser_jax.stats.derived.stretching import Stretch, fit_stretch
    from dser_jax.stats.derived.view import DerivedView, with_derived
    from dser_jax.stats.differences import difference_between, differences_of
    from dser_jax.stats.means import LEVEL, Summary, summary, t_quantile
    from dser_jax.stats.paired import (
        LEAST,
        Comparison,
        PairedTest,
        Pairs,
        SignedRank,
        by_seed,
        holm,
        holm_of_known,
        pair,
        pair_by_seed,
        paired_t,
        signed_rank,
    )
    from dser_jax.stats.pooling import pool_folds
    from dser_jax.stats.resampling import LEAST_LABELS, labels_of, too_few
    from dser_jax.stats.rows import (
        BOTH,
        COLUMNS,
        DERIVED,
        ENSEMBLE,
        LOST,
        STRETCHED,
        Row,
        below_zero,
        count_lost,
        in_words,
        is_baseline,
        is_derived,
        is_whole,
        learned,
        score,
        untrained,
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
    from dser_jax.stats.table import Table, TableRow, tables
else:
    __getattr__, __dir__, __all__ = exports(__name__)
