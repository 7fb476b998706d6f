"""Corpora: each loader reads one kind of corpus into the utterance table of `utterances.py`.

`load_iemocap`, `load_msp_improv` and `load_msp_podcast` read release trees, `load_emobank` a file
by name, `load_audformat` databases in that format, and `load_table` any CSV; each is in the module
of its name. `load_demo` makes and reads the talking corpus, which needs no licence and no download.

Loaders read text only: no recording is opened here. They import what they need themselves, so that
importing this package costs nothing.
"""
