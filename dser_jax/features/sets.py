"""Acoustic features, tokens and word vectors.

Importing this package imports no audio library: an extractor imports its own when it starts.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from dser_jax.features.extractors.extractor import Extractor
from dser_jax.features.extractors.gemaps import GEMAPS
from dser_jax.features.extractors.paa import PAA_PACKAGE
from dser_jax.features.extractors.paa_fast import PAA
from dser_jax.features.functionals import hsf_columns


class Feature(NamedTuple):
    """Features as a network reads them.

    Attributes:
      extractor: Gives the low-level descriptors of which they are made.
      kind: "lld" for the descriptors themselves, "hsf" for their means and deviations.
      columns: Their names.
    """

    extractor: Extractor
    kind: Literal["lld", "hsf"]
    columns: tuple[str, ...]


EXTRACTORS = {extractor.name: extractor for extractor in (GEMAPS, PAA, PAA_PACKAGE)}

FEATURES = {
    "gemaps_lld": Feature(GEMAPS, "lld", GEMAPS.columns),
    "gemaps_hsf": Feature(GEMAPS, "hsf", hsf_columns(GEMAPS.columns)),
    "paa_lld": Feature(PAA, "lld", PAA.columns),
    "paa_hsf": Feature(PAA, "hsf", hsf_columns(PAA.columns)),
    "paa_package_lld": Feature(PAA_PACKAGE, "lld", PAA_PACKAGE.columns),
    "paa_package_hsf": Feature(PAA_PACKAGE, "hsf", hsf_columns(PAA_PACKAGE.columns)),
}
"""The acoustic features that `dser prepare --features` knows.

Those of pyAudioAnalysis come twice: by our own code, and by the package itself, which is slow.
"""
