"""A corpus on disk -> the utterance table.

Each loader reads one kind of corpus into the `Utterance`s of `utterances.py`, and is in the module
of its name; `demo/` makes the talking corpus, which needs no licence and no download. Loaders read
text only: no recording is opened here. Open `utterances.py` first, then `table.py`.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.corpora.audformat import load_audformat
    from dser_jax.corpora.demo.corpus import load_demo
    from dser_jax.corpora.demo.espeak import Spoken, speak
    from dser_jax.corpora.emobank import load_emobank
    from dser_jax.corpora.folders import find_files
    from dser_jax.corpora.iemocap import load_iemocap
    from dser_jax.corpora.msp_improv import load_msp_improv
    from dser_jax.corpora.msp_podcast import load_msp_podcast
    from dser_jax.corpora.scales import Scale, as_scale, ends_of, scale_as_json, scale_in_words
    from dser_jax.corpora.table import TIMES, load_table
    from dser_jax.corpora.tables.cells import fold_space, is_missing, read_number, read_seconds
    from dser_jax.corpora.tables.dialect import (
        DECIMALS,
        QUOTING,
        RECOGNISED,
        SEPARATORS,
        Dialect,
        marked_encoding,
        name_of,
    )
    from dser_jax.corpora.tables.sheet import Sheet, SheetRow, open_sheet
    from dser_jax.corpora.tables.turns import read_turn, settle_turns
    from dser_jax.corpora.utterances import ATTRS, Corpus, Utterance, in_order
else:
    __getattr__, __dir__, __all__ = exports(__name__)
