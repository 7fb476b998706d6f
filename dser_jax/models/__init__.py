"""Networks: encoders of speech and text, what fuses them, and the table `MODELS`.

In: arrays of one batch. Out: predictions of valence, arousal, dominance. A new encoder is a Linen
module with the call of its table's others, and a line in that table. Open `table.py` first, then
`network.py`; the LSTM is `layers.py`, its steps and their gradient are `recurrence.py`, the order
in which a device takes them is `schedules.py`. Where a step takes a gradient of each task,
`factors.py` has these in fewer numbers.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.models.factors import Factors, find_factors
    from dser_jax.models.network import HEADS, Batch, Network, Rates
    from dser_jax.models.schedules import RULE, SCHEDULES, named_by_user, scheduled
    from dser_jax.models.sequences import row_count
    from dser_jax.models.table import MODELS, make_network
    from dser_jax.models.text import Embedding
else:
    __getattr__, __dir__, __all__ = exports(__name__)
