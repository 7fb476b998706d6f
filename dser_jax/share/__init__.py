"""Trained networks as a folder to share: chosen from a journal, written, read, run.

In: a journal. Out: a folder with weights, a model card and programs, which needs no journal and
no training code. Open `bundle.py` first (what is in the folder).
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.share.baseline import baseline_in_words, fold_in_words
    from dser_jax.share.bundle import Bundle, is_bundle, read_bundle
    from dser_jax.share.choice import Choice
    from dser_jax.share.exporting import check_out, export
    from dser_jax.share.forward import Networks, encode
    from dser_jax.share.gathering import gather
    from dser_jax.share.parts import Features
else:
    __getattr__, __dir__, __all__ = exports(__name__)
