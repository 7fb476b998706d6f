"""One run, without a lane axis anywhere.

In: a configuration and arrays. Out: three pure functions, `init`, `epoch`, `result`, which the
engine maps over lanes; the scores of what a run predicts. Open `run.py` first.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.training.metrics import BATCH, ccc, ccc_batch32, scores
    from dser_jax.training.optimizers import OPTIMIZERS, rmsprop
    from dser_jax.training.run import (
        EVAL_BATCH,
        HParams,
        Result,
        Run,
        State,
        Weights,
        make_run,
        named,
    )
else:
    __getattr__, __dir__, __all__ = exports(__name__)
