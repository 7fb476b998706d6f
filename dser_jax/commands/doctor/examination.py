"""What is installed, which device is used, what would fail, and how to mend it.

Each thing is tried, not guessed: packages are imported, a device computes, a recording goes through
each extractor. What is tried runs in a process of its own, so that a library that crashes or hangs
is a line of the answer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dser_jax import __version__
from dser_jax.system import available_cores, cache_root, last_line

SECONDS = 180
"""What takes longer is said to hang."""

LITTLE_DISK = 2 << 30
NO_DISK = 100 << 20
LITTLE_MEMORY = 2 << 30
"""Bytes below which there is something to say."""

EXTRAS = {
    "demo": "the talking demo corpus",
    "optuna": "searches by Optuna",
    "ray": "sweeps on a Ray cluster",
    "asr": "transcripts by speech recognition",
}
"""What the optional parts are for, where their name does not tell."""

NOT_ASKED = ("test", "docs", "bench", "cuda12", "cuda13")
"""Extras for developers, and those that the device tells of."""

IMPORTED_AS = {"scikit-learn": "sklearn", "orbax-checkpoint": "orbax.checkpoint"}
"""Packages whose module has another name."""


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
      state: "ok", "note" (it works, but not as well as it could) or "broken".
      what: What was found.
      mend: What to do about it.
    """

    state: Literal["ok", "note", "broken"]
    what: str
    mend: str = ""


def examine(folder: Path) -> Iterator[tuple[str, list[Finding]]]:
    """Looks at everything; yields a title and what was found, as it is found.

    Args:
      folder: Where results are to go.
    """
    with ThreadPoolExecutor(4) as pool:
        needed, extras = requirements()
        imports = pool.submit(try_imports, needed)
        device, sound, voice = (pool.submit(probe, code) for code in (_DEVICE, _SOUND, _VOICE))
        about = f"dser_jax {__version__}, Python {platform.python_version()}, {platform.platform()}"
        yield about, []
        yield "packages", packages(needed, imports.result())
        yield "device and memory", devices(device, nvidia_driver(), os.environ)
        yield "disk", [*disk(folder, "results"), *compile_cache()]
        yield "sound", sounds(sound, voice)
        yield "extras", optional(extras)


def requirements() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Returns what the installed package requires, and what each of its extras does.

    Returns:
      Package -> the versions that will do, e.g. ">=2.2", and extra -> the same.
    """
    from packaging.requirements import Requirement

    try:
        known = metadata.metadata("dser_jax")
        lines = metadata.requires("dser_jax") or []
    except metadata.PackageNotFoundError:
        return {}, {}
    needed: dict[str, str] = {}
    extras: dict[str, dict[str, str]] = {name: {} for name in known.get_all("Provides-Extra") or ()}
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}):
            needed[requirement.name] = str(requirement.specifier)
            continue
        for extra, wanted in extras.items():
            if marker.evaluate({"extra": extra}):
                wanted[requirement.name] = str(requirement.specifier)
    return needed, extras


def try_imports(packages: Iterable[str]) -> dict[str, Probed]:
    """Imports packages, all in one process if that goes well, and else each in its own."""
    codes = {name: _import(name) for name in packages}
    if probe(";".join(codes.values()) or "print(0)").error is None:
        return dict.fromkeys(codes, Probed(0))
    return {name: probe(code) for name, code in codes.items()}


def packages(needed: Mapping[str, str], imports: Mapping[str, Probed]) -> list[Finding]:
    """Tells which packages are there, recent enough and whole."""
    if not needed:
        return [
            Finding(
                "note",
                "dser_jax is not installed, so nobody knows what it needs",
                'pip install -e ".[demo]" in its folder',
            )
        ]
    good, found = [], []
    for name, versions in needed.items():
        wrong = _unsuitable(name, versions)
        probed = imports[name]
        if wrong is not None:
            found.append(Finding("broken", wrong, f'pip install "{name}{versions}"'))
        elif probed.error is not None:
            mend = f"pip install --force-reinstall {name}"
            found.append(Finding("broken", f"{name} cannot be imported: {probed.error}", mend))
        else:
            good.append(f"{name} {metadata.version(name)}")
    return [*([Finding("ok", ", ".join(good))] if good else []), *found]


def optional(extras: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Tells which optional parts are installed; without them the rest works."""
    found = []
    for extra, wanted in extras.items():
        if extra in NOT_ASKED:
            continue
        purpose = f" ({EXTRAS[extra]})" if extra in EXTRAS else ""
        missing = [text for each in wanted.items() if (text := _unsuitable(*each)) is not None]
        if missing:
            mend = f'pip install "dser_jax[{extra}]"'
            found.append(Finding("note", f"{extra}{purpose}: {', '.join(missing)}", mend))
        else:
            found.append(Finding("ok", f"{extra}{purpose}"))
    return found


def _unsuitable(name: str, versions: str) -> str | None:
    """Says what is wrong with a package, by its version alone; None where nothing is."""
    from packaging.specifiers import SpecifierSet

    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if not SpecifierSet(versions).contains(version, prereleases=True):
        return f"{name} is {version}, needed is {versions}"
    return None


def devices(
    probed: Future[Probed], driver: str | None, environment: Mapping[str, str]
) -> list[Finding]:
    """Tells on what JAX computes, and whether a GPU lies idle.

    Args:
      probed: What `_DEVICE` gave.
      driver: The version of NVIDIA's driver, where there is one.
      environment: Environment variables.
    """
    given = probed.result()
    if given.error is not None:
        chosen = environment.get("JAX_PLATFORMS")
        mend = "JAX_PLATFORMS=cpu dser doctor: if that works, it is the GPU's driver or its plugin"
        if chosen:
            mend = f"JAX_PLATFORMS is {chosen!r}: unset it, or name what is there"
        return [Finding("broken", f"JAX does not compute: {given.error}", mend)]
    about = given.answer
    found = [Finding("ok", f"JAX computes on {about['count']} x {about['kind']}")]
    if about["platform"] == "cpu" and driver is not None:
        found.append(_idle_gpu(driver, environment))
    if about["free"] is None:
        found.append(Finding("note", "nobody knows how much memory is free", "give --lanes N"))
    else:
        text = f"{_size(about['free'])} of memory free for lanes"
        little = about["free"] < LITTLE_MEMORY
        mend = "close what fills it, or train fewer runs at a time: --lanes 4" if little else ""
        found.append(Finding("note" if little else "ok", text, mend))
    machine = f"{available_cores()} CPU cores, {_size(_host_memory())} of memory in all"
    return [*found, Finding("ok", machine)]


def _idle_gpu(driver: str, environment: Mapping[str, str]) -> Finding:
    what = f"a GPU with driver {driver} is there, but JAX uses the CPU"
    if "cpu" in environment.get("JAX_PLATFORMS", ""):
        return Finding("note", what, "unset JAX_PLATFORMS")
    if environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return Finding("note", what, "unset CUDA_VISIBLE_DEVICES, or name a GPU in it")
    cuda = "cuda13" if int(driver.split(".")[0]) >= 580 else "cuda12"
    for name in ("cuda12", "cuda13"):
        if importlib.util.find_spec(f"jax_{name}_plugin"):
            return Finding(
                "note",
                f"{what}, though jax-{name}-plugin is installed",
                "look whether nvidia-smi lists the GPU, and whether jaxlib and the plugin have the "
                f'same version: pip install --upgrade "dser_jax[{cuda}]"',
            )
    return Finding("note", what, f'pip install "dser_jax[{cuda}]"')


def nvidia_driver(proc: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """Returns the version of NVIDIA's driver, e.g. "580.65.06"; None where there is none."""
    try:
        words = proc.read_text("utf-8", "replace").split()
    except OSError:
        return None
    return next((word for word in words if word[:1].isdigit() and "." in word), None)


def disk(folder: Path, purpose: str) -> list[Finding]:
    """Tells whether a folder, which need not be there yet, can be written, and what is free."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    try:
        tempfile.TemporaryFile(dir=there).close()
        free = shutil.disk_usage(there).free
    except OSError as error:
        mend = "choose another folder: dser doctor DIR looks at it"
        return [Finding("broken", f"{purpose}: {there} cannot be written: {error.strerror}", mend)]
    text = f"{purpose}: {_size(free)} free in {folder}"
    if free >= LITTLE_DISK:
        return [Finding("ok", text)]
    return [Finding("broken" if free < NO_DISK else "note", text, "make room, or choose another")]


def compile_cache() -> list[Finding]:
    """Tells whether compiled programs are kept for the next start."""
    off = [n for n in ("DSER_NO_COMPILE_CACHE", "JAX_COMPILATION_CACHE_DIR") if os.environ.get(n)]
    if off:
        return [Finding("ok", f"compiled programs: as {off[0]}={os.environ[off[0]]} has it")]
    try:
        (found,) = disk(cache_root(), "compiled programs")
    except RuntimeError as error:  # There is no home.
        found = Finding("broken", f"compiled programs: {error}")
    if found.state != "broken":
        return [found]
    mend = "they are compiled again at each start; XDG_CACHE_HOME=DIR names another folder"
    return [Finding("note", found.what, mend)]


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


def _import(package: str) -> str:
    """Returns code that imports a package; one without a module of its name is left alone."""
    module = IMPORTED_AS.get(package, package.replace("-", "_"))
    return f"import importlib, json; importlib.import_module({module!r}); print(json.dumps(0))"


_DEVICE = """
import json
import jax, jax.numpy as jnp
devices = jax.local_devices()
assert float(jax.jit(lambda a: a @ a)(jnp.ones((8, 8)))[0, 0]) == 8, "it computes wrongly"
from dser_jax.engine import free_bytes
about = dict(platform=devices[0].platform, kind=devices[0].device_kind, count=len(devices))
print(json.dumps(about | dict(free=free_bytes(devices[0]))))
"""

_SOUND = """
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

_VOICE = """
import json
from dser_jax.corpora import Spoken, speak
((samples),) = speak([Spoken("yes", "en-us", 175, 50, 50, 100)])
print(json.dumps(len(samples)))
"""


def broken(found: Sequence[Finding]) -> int:
    """Counts what has to be mended."""
    return sum(finding.state == "broken" for finding in found)


def _host_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0


def _size(count: int) -> str:
    """Writes bytes for people: 3.2 GiB."""
    if count < 1 << 30:
        return f"{count / (1 << 20):.0f} MiB"
    return f"{count / (1 << 30):.1f} GiB"
