"""From flags to a report: trains what a journal lacks.

In: a prepared folder, groups of runs, or the flags of a command line. Out: a journal and its
report. Open `running.py` first, then `task.py` (what a call asks for); `flags/` has the flags that
all experiments share.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.experiment.arms import chosen_arms
    from dser_jax.experiment.conducting import conduct, train_beside
    from dser_jax.experiment.flags.arguments import SEEDS, add_arguments, make_parser, positive
    from dser_jax.experiment.flags.parser import Parser
    from dser_jax.experiment.flags.places import with_places
    from dser_jax.experiment.flags.search import add_search_arguments, make_search
    from dser_jax.experiment.flags.settings import make_config, make_hparams
    from dser_jax.experiment.flags.sweep_file import OWN, asked_flags
    from dser_jax.experiment.options import Options
    from dser_jax.experiment.running import LANES, run_experiment, sweep, train_groups
    from dser_jax.experiment.saved_weights import load_weights
    from dser_jax.experiment.tuning import tune
else:
    __getattr__, __dir__, __all__ = exports(__name__)
