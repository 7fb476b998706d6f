"""Strict JAX for every test: no silent promotion of dtypes or ranks, only typed keys."""

import atexit
import os
import shutil
import signal
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")  # in each process, whichever test is first

import jax
import pytest
from keras_reference import usual_promotion

# Programs are kept while the tests run, for the many processes that they start, and no longer.
os.environ.setdefault("MPLCONFIGDIR", os.path.expanduser("~/.cache/matplotlib"))
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="dser-jax-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
# In the background of a shell Ctrl-C is ignored, by all processes that are started here as well.
signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_legacy_prng_key", "error")


SLOW = (
    "demo_claims",
    "faults_kills",
    "ray",
    "sweep",
    "search_cli",
    "decisions",
    "examples",
    "snippets",
    "benchmarks",
    "page_browser",
    "exporting",
    "lanes",
)
"""Files that begin first, so that no process is left with a long one at the end."""


def pytest_collection_modifyitems(items):
    """Puts the files that take long before the others."""
    names = [f"test_{name}.py" for name in SLOW]
    items.sort(key=lambda item: names.index(item.path.name) if item.path.name in names else 99)


@pytest.fixture(scope="module")
def quick_compilation():
    """Leaves out most of XLA's optimizations, which take more time than all the training here.

    For the tests of a module that train, here or in processes of their own, and do not ask whether
    optimized programs agree to the bit.
    """
    before = jax.config.read("jax_disable_most_optimizations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def keras():
    """Keras 3 on JAX, whose own code needs the usual promotion rules."""
    keras = pytest.importorskip("keras")
    with usual_promotion():
        yield keras
