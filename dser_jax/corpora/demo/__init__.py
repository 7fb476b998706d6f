"""The talking corpus: words, a voice, and the layout of IEMOCAP's release."""

from dser_jax.corpora.demo.corpus import load_demo

__all__ = ["load_demo"]
