"""The talking corpus: people, their words and voices, labels, the layout of IEMOCAP's release."""

from dser_jax.corpora.demo.corpus import LEAST, load_demo, make_demo

__all__ = ["LEAST", "load_demo", "make_demo"]
