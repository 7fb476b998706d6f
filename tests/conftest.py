"""Strict JAX for every test: no silent promotion of dtypes or ranks, only typed keys."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import pytest
from keras_reference import usual_promotion

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_legacy_prng_key", "error")


@pytest.fixture
def keras():
    """Keras 3 on JAX, whose own code needs the usual promotion rules."""
    keras = pytest.importorskip("keras")
    with usual_promotion():
        yield keras
