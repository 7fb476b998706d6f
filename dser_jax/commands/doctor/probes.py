"""Code that is tried in a process of its own.

A library that crashes or hangs there is a line of the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from dser_jax.system import last_line

SECONDS = 180
"""What takes longer is said to hang."""

IMPORTED_AS = {"scikit-learn": "sklearn", "orbax-checkpoint": "orbax.checkpoint"}
"""Packages whose module has another name."""


class Probed(NamedTuple):
    """What a piece of code gave in a process of its own: an answer, or an error in a line."""

    answer: Any = None
    error: str | None = None


def probe(code: str, seconds: float = SECONDS) -> Probed:
    """Runs Python code that prints its answer as the last line, in JSON."""
    # The folder of the package first: it may not be installed.
    paths = [os.fspath(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    more = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return Probed(error=f"no answer in {seconds:.0f} s")
    except OSError as error:
        return Probed(error=str(error))
    if done.returncode < 0:
        return Probed(error=f"it crashed with signal {-done.returncode}; {last_line(done.stderr)}")
    if done.returncode:
        return Probed(error=last_line(done.stderr))
    try:
        return Probed(json.loads(done.stdout.strip().splitlines()[-1]))
    except (IndexError, ValueError):
        return Probed(error=f"an odd answer: {done.stdout[-80:]!r}")


def importing(package: str) -> str:
    """Returns code that imports a package; one without a module of its name is left alone."""
    module = IMPORTED_AS.get(package, package.replace("-", "_"))
    return f"import importlib, json; importlib.import_module({module!r}); print(json.dumps(0))"


DEVICE = """
import json
import jax, jax.numpy as jnp
devices = jax.local_devices()
assert float(jax.jit(lambda a: a @ a)(jnp.ones((8, 8)))[0, 0]) == 8, "it computes wrongly"
from dser_jax.engine import free_bytes
about = dict(platform=devices[0].platform, kind=devices[0].device_kind, count=len(devices))
print(json.dumps(about | dict(free=free_bytes(devices[0]))))
"""

SOUND = """
import json, tempfile
from pathlib import Path
import numpy as np
import soundfile
from dser_jax.features import EXTRACTORS, RATE, read
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, RATE), RATE)
    signal = read(path)
names = []
for name, extractor in EXTRACTORS.items():
    if name.startswith("paa_package"):
        continue
    frames = extractor.make()(signal)
    assert np.isfinite(frames).all() and len(frames) > 50, f"{name} is not what it was"
    names.append(name)
print(json.dumps(names))
"""

VOICE = """
import json
from dser_jax.corpora import Spoken, speak
((samples),) = speak([Spoken("yes", "en-us", 175, 50, 50, 100)])
print(json.dumps(len(samples)))
"""
