"""A model on new recordings: read, cut into utterances, transcribed, predicted, written.

In: such a folder, recordings, words. Out: valence, arousal, dominance by utterance. Open
`predictor.py` first, which is what `dser_jax.load` returns.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.predict.output import check_columns, show, write
    from dser_jax.predict.pipeline import Prediction, predict
    from dser_jax.predict.place import check_out, format_of
    from dser_jax.predict.predictor import Predictor, load
    from dser_jax.predict.recordings import find
    from dser_jax.predict.transcribe import make_transcriber
else:
    __getattr__, __dir__, __all__ = exports(__name__)
