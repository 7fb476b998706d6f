"""Gold and predictions -> the multitask loss.

The CCC loss and its like, a number an attribute (`LOSSES`), and how three become one
(`WEIGHTINGS`, eq. 3 to 6 of the paper, and what others have proposed since). Open `losses.py`
first, then `weighting.py`; `families.py` lists the weightings.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.loss.families import METHODS, WEIGHTINGS, Method, methods
    from dser_jax.loss.losses import (
        LOSSES,
        TINY,
        Loss,
        ccc,
        ccc_loss,
        mse_loss,
        multitask_loss,
    )
    from dser_jax.loss.weighing import (
        Gradient,
        Watched,
        check_needs,
        find_gradient,
        needed,
        watched,
        without_own,
    )
    from dser_jax.loss.weighting import NEEDS, Weighting, weighted_sum
else:
    __getattr__, __dir__, __all__ = exports(__name__)
