"""Strict JAX for every test, and programs that are compiled quickly, once for all processes."""

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
from jax._src import compiler
from keras_reference import usual_promotion

from dser_jax.system.compile_cache import enable_compile_cache

# Programs are kept while the tests run, for all of their processes, and no longer.
os.environ.setdefault("MPLCONFIGDIR", os.path.expanduser("~/.cache/matplotlib"))
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="dser-jax-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
enable_compile_cache()
# In the background of a shell Ctrl-C is ignored, by all processes that are started here as well.
signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_legacy_prng_key", "error")


SLOW = (
    "crash_sweep",
    "demo_claims",
    "faults_kills",
    "ray",
    "sweep",
    "search_cli",
    "decisions",
    "examples",
    "snippets",
    "benchmarks",
    "suite",
    "page_browser",
    "exporting",
    "lanes",
)
"""Files that begin first, so that no process is left with a long one at the end."""

COMPILING = (
    "accelerator",
    "benchmarks",
    "suite",
    "cli",
    "any_path",
    "doctor",
    "environment",
    "sweep",
    "demo",
    "emobank",
    "scales",
    "importing",
    "joining",
    "missing",
    "no_leak",
    "snippets",
    "two_cccs",
    "checkpoint",
    "context",
    "context_shared",
    "context_predicted",
    "devices",
    "lanes",
    "lanes_faults",
    "ray",
    "sizing",
    "sizes",
    "ordering",
    "pace",
    "start_up",
    "crash_outputs",
    "crash_sweep",
    "demo_claims",
    "faults_files",
    "faults_kills",
    "interrupts",
    "sweep_file",
    "running",
    "ahead",
    "plans",
    "extraction",
    "encoders",
    "paa_fast",
    "journal",
    "losses",
    "keras",
    "models",
    "recurrence",
    "predictor",
    "recordings",
    "figures",
    "page_browser",
    "page_phone",
    "writing",
    "decisions",
    "search_cli",
    "exporting",
    "usual",
    "baselines",
    "bootstrap",
    "pooling",
    "pooled",
    "differences",
    "searched",
    "compile_cache",
    "lock",
    "loops",
    "signals",
    "api",
    "examples",
    "frozen",
    "layout",
    "optimizers",
    "run",
    "stopping",
)
"""Files that compile programs, or start processes that do: `make test-fast` leaves them out."""

DEVICE = (
    "accelerator",
    "keras",
    "lanes",
    "losses",
    "models",
    "optimizers",
    "recurrence",
    "run",
    "stopping",
)
"""Files that compute what must be the same on every device: `make test-gpu` runs them on one."""

OPTIMIZED = ("lanes",)
"""Files whose programs are those of users; in the others XLA leaves out what only takes time."""

QUICK = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
"""What XLA is told beside JAX's own setting; both together leave a fifth of the compilation."""

REPEATABLE = {"xla_gpu_deterministic_ops": True}
"""What XLA is told on a GPU, where sums come in any order otherwise: no bits could be compared."""


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        choices=("cpu", "gpu"),
        help="run on this device or not at all, float32 multiplied as float32; gpu: optimized",
    )


def pytest_configure(config):
    """Sees to it that what is to be tested on a device runs there."""
    if (device := config.getoption("device")) is None:
        return
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    if (found := jax.default_backend()) != device:
        pytest.exit(
            f"JAX sees no {device} here, only {found}: nothing is tested. With a CUDA driver, "
            "EXTRA=cuda12 or EXTRA=cuda13 installs what JAX needs; DEVICE=cpu runs the same tests "
            "on the processor",
            returncode=2,
        )
    jax.config.update("jax_default_matmul_precision", "highest")


def pytest_ignore_collect(collection_path, config):
    """Leaves files alone that are not for a device: there need be nothing of what they import."""
    name = collection_path.stem.removeprefix("test_")
    apart = collection_path.suffix == ".py" and name not in DEVICE
    return True if apart and config.getoption("device") is not None else None


def pytest_collection_modifyitems(items):
    """Puts the files that take long before the others, and marks those that compile."""
    for item in items:
        if item.path.stem.removeprefix("test_") in COMPILING:
            item.add_marker(pytest.mark.compiles)
        if item.path.stem.removeprefix("test_") in DEVICE:
            item.add_marker(pytest.mark.device)
    names = [f"test_{name}.py" for name in SLOW]
    items.sort(key=lambda item: names.index(item.path.name) if item.path.name in names else 99)


def _with_quick(get_compile_options):
    """Adds `QUICK` to the options of a program, where most optimizations are left out anyway."""

    def get(*given, env_options_overrides=None, **named):
        if jax.config.read("jax_disable_most_optimizations"):
            env_options_overrides = {**QUICK, **(env_options_overrides or {})}
        if jax.default_backend() == "gpu":
            env_options_overrides = {**REPEATABLE, **(env_options_overrides or {})}
        return get_compile_options(*given, env_options_overrides=env_options_overrides, **named)

    return get


compiler.get_compile_options = _with_quick(compiler.get_compile_options)


@pytest.fixture(scope="module", autouse=True)
def compilation(request):
    """Leaves out most of XLA's optimizations, which take more time than all the training here."""
    on_gpu = request.config.getoption("device") == "gpu"
    if on_gpu or request.path.stem.removeprefix("test_") in OPTIMIZED:
        yield
        return
    flags = " ".join(f"--{name}={value}".lower() for name, value in QUICK.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        patch.setenv("XLA_FLAGS", f"{os.environ.get('XLA_FLAGS', '')} {flags}")
        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def optimized():
    """Compiles here what a test compiles as for users."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def keras():
    """Keras 3 on JAX, whose own code needs the usual promotion rules."""
    keras = pytest.importorskip("keras")
    with usual_promotion():
        yield keras
