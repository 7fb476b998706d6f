"""Corpora: each loader reads one kind of corpus into the utterance table of `utterances.py`.

`iemocap.load_iemocap` reads the IEMOCAP release tree, `table.load_table` any CSV, audformat tables
among them, and `demo.load_demo` makes and reads the talking corpus, which needs no licence and no
download.

Loaders read text only: no recording is opened here. They import what they need themselves, so that
importing this package costs nothing.
"""
