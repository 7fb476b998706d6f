"""Utterances -> acoustic features, tokens, word vectors.

In: recordings and transcripts. Out: frames or functionals by utterance, kept in a store by what
they were made of; the Keras tokenizer; the corpus' words of GloVe and FastText. Open `sets.py`
first, the table of what `dser prepare --features` knows. Audio libraries are imported when used.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.features.audio import (
        HOP,
        RATE,
        WINDOW,
        Heard,
        Signal,
        hear,
        read,
        say_converted,
    )
    from dser_jax.features.encoders.encoder import Encoder, open_encoder
    from dser_jax.features.encoders.encoding import encode, make_encode
    from dser_jax.features.encoders.request import HALVES, POOLS, Encoding, make_encoding
    from dser_jax.features.encoders.speech import seconds_of_step
    from dser_jax.features.encoders.text import say_cut
    from dser_jax.features.extraction import extract, find_loud
    from dser_jax.features.extractors.extractor import Extractor, Frames, make_frames
    from dser_jax.features.functionals import NONZERO, hsf, nonzero_hsf
    from dser_jax.features.imported.labels import find_labels
    from dser_jax.features.imported.loading import (
        MARK,
        Imported,
        imported_from,
        is_imported,
        load_imported,
        shown_name,
    )
    from dser_jax.features.imported.remarks import remarks_on
    from dser_jax.features.samples import check_samples, say_loud
    from dser_jax.features.sets import EXTRACTORS, FEATURES, Feature
    from dser_jax.features.store import Store
    from dser_jax.features.tokenizer import Tokenizer, fold_signs, split_words
    from dser_jax.features.vectors import FORMATS, Vectors, load_vectors, of_texts
else:
    __getattr__, __dir__, __all__ = exports(__name__)
