"""What is installed, which device is used, what would fail, and how to mend it.

Each thing is tried, not guessed: packages are imported, a device computes, a recording goes through
each extractor. What is tried runs in a process of its own, so that a library that crashes or hangs
is a line of the answer.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from dser_jax import __version__
from dser_jax.commands.doctor.findings import Finding
from dser_jax.commands.doctor.installed import optional, packages, requirements, try_imports
from dser_jax.commands.doctor.machine import compile_cache, devices, disk, nvidia_driver
from dser_jax.commands.doctor.probes import DEVICE, SOUND, VOICE, Probed, probe


def examine(folder: Path) -> Iterator[tuple[str, list[Finding]]]:
    """Looks at everything; yields a title and what was found, as it is found.

    Args:
      folder: Where results are to go.
    """
    with ThreadPoolExecutor(4) as pool:
        needed, extras = requirements()
        imports = pool.submit(try_imports, needed)
        device, sound, voice = (pool.submit(probe, code) for code in (DEVICE, SOUND, VOICE))
        about = f"dser_jax {__version__}, Python {platform.python_version()}, {platform.platform()}"
        yield about, []
        yield "packages", packages(needed, imports.result())
        yield "device and memory", devices(device, nvidia_driver(), os.environ)
        yield "disk", [*disk(folder, "results"), *compile_cache()]
        yield "sound", sounds(sound, voice)
        yield "extras", optional(extras)


def sounds(extracted: Future[Probed], spoken: Future[Probed]) -> list[Finding]:
    """Tells whether a recording gives features, and whether the demo corpus can be spoken."""
    given = extracted.result()
    if given.error is not None:
        return [
            Finding(
                "broken",
                f"no features from a recording: {given.error}",
                "pip install --force-reinstall soundfile opensmile; on Linux without libsndfile, "
                "also your system's libsndfile1",
            )
        ]
    found = [Finding("ok", f"features of a recording: {', '.join(given.answer)}")]
    if importlib.util.find_spec("espeakng_loader") is None:
        return found  # `optional` tells of it.
    given = spoken.result()
    if given.error is None:
        return [*found, Finding("ok", "eSpeak NG speaks")]
    mend = 'pip install --force-reinstall "dser_jax[demo]"; only the demo corpus needs it'
    return [*found, Finding("note", f"eSpeak NG does not speak: {given.error}", mend)]
