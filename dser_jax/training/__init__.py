"""One run, without a lane axis anywhere.

In: a configuration and arrays. Out: three pure functions, `init`, `epoch`, `result`, which the
engine maps over lanes; the scores of what a run predicts. Open `run.py` first: it joins the
others, an idea each. `stopping.py` is the rule that ends a run early.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.training.batches import take_context
    from dser_jax.training.context import with_context
    from dser_jax.training.evaluation import EVAL_BATCH
    from dser_jax.training.hparams import HParams, told
    from dser_jax.training.metrics import BATCH, ccc, ccc_batch32, scores
    from dser_jax.training.optimizers import OPTIMIZERS, decays, rmsprop
    from dser_jax.training.run import Result, Run, make_run, named
    from dser_jax.training.state import State, Weights
else:
    __getattr__, __dir__, __all__ = exports(__name__)
