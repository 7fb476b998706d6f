"""Gold and predictions -> the multitask loss.

The CCC loss and its like, a number an attribute (`LOSSES`), and how three become one
(`WEIGHTINGS`, eq. 3 to 6 of the paper). Open `losses.py` first.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.loss.losses import (
        LOSSES,
        TINY,
        WEIGHTINGS,
        Loss,
        Weighting,
        ccc,
        ccc_loss,
        mse_loss,
        multitask_loss,
        weighted_sum,
    )
else:
    __getattr__, __dir__, __all__ = exports(__name__)
