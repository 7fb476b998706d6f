"""Which runs a sweep is made of, and what they are called.

In: settings, grids, seeds. Out: `RunSpec`s with an identity each. Open `groups.py` first.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.plan.grid import (
        GRID_FIELDS,
        LOSS_WEIGHTS,
        LossWeights,
        Point,
        grid_points,
        hparams_at,
        is_count,
        parse_grid,
        parse_weightings,
        point_weights,
    )
    from dser_jax.plan.groups import (
        Group,
        Plan,
        describe,
        paired_runs,
        plan_runs,
        product,
        usable_groups,
    )
    from dser_jax.plan.names import canonical, hparams_json, plain, run_id, run_of, with_later
    from dser_jax.plan.runs import Outcome, RunSpec, stack_hparams, tree_bytes
    from dser_jax.plan.weights import no_weights, single_task, three_weights, two_weights
else:
    __getattr__, __dir__, __all__ = exports(__name__)
