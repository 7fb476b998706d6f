"""From flags to a report: trains what a journal lacks.

In: a prepared folder, groups of runs, or the flags of a command line. Out: a journal and its
report. Open `running.py` first; `flags.py` has the flags that all experiments share.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.experiment.conducting import conduct
    from dser_jax.experiment.flags import (
        SEEDS,
        add_arguments,
        add_search_arguments,
        make_config,
        make_hparams,
        make_parser,
        make_search,
        positive,
    )
    from dser_jax.experiment.running import (
        LANES,
        Options,
        load_weights,
        run_experiment,
        sweep,
        train_groups,
    )
else:
    __getattr__, __dir__, __all__ = exports(__name__)
