"""The prepared folder, and arrays out of it.

In: a corpus and its features. Out: a folder that every later step reads, and, for one
configuration, arrays with splits and scalers, fitted on training rows alone. Open `prepared.py`
first (the folder), then `dataset.py` (the arrays).
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.data.dataset import Data, Dataset, load_dataset, rows_to_fit
    from dser_jax.data.dialogues.making import Context, kinds_of, laid_out
    from dser_jax.data.dialogues.order import Place, Turn, causal_means, groups_of
    from dser_jax.data.dialogues.vectors import (
        TurnVectors,
        Words,
        fit_words,
        mean_frames,
        mean_layers,
        scale_of,
    )
    from dser_jax.data.folder.manifest import MANIFEST
    from dser_jax.data.inputs import (
        check_inputs,
        feature_name,
        folds_signs,
        need_dialogues,
        reads_features_of_text,
        without_context,
    )
    from dser_jax.data.inspection import inspect, summary
    from dser_jax.data.joining import join
    from dser_jax.data.leaks import MARKS, mark
    from dser_jax.data.parts.folds import folds_of
    from dser_jax.data.parts.labels import told_constants, without_constants
    from dser_jax.data.prepared import Prepared, load_prepared
    from dser_jax.data.preparing import prepare
    from dser_jax.data.rows.features import functionals, speech_of
    from dser_jax.data.rows.scaling import Scaler, moments
    from dser_jax.data.rows.speakers import LEAST, by_speaker, check_speakers
    from dser_jax.data.splits import Split, indivisible, make_split
else:
    __getattr__, __dir__, __all__ = exports(__name__)
