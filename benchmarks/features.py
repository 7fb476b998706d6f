"""How fast acoustic features are extracted: our own code, pyAudioAnalysis, and openSMILE.

First the extractors, on the same recordings in one process, in turns. Seconds are those that the
process computed, on all of its threads together, so that they are a core's whoever else is at work.
pyAudioAnalysis is timed as it comes and as `paa_package_lld` calls it, which makes its table of
chroma bins once instead of once a frame.

Then openSMILE by the clock, on files: started anew for each of them, started once, and as
`dser prepare` runs it, from processes that each start it once, results stored and all.

    python benchmarks/features.py
    python benchmarks/features.py --recordings speech/*.wav
"""

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from common import in_turns, table
from record import finish
from sizes import parse

HELP = {
    "recordings": "files to extract from; by default, made-up sounds",
    "signals": "how many sounds to make up for the extractors",
    "files": "how many for openSMILE's part; 0 for none of it",
}


def made_up(count: int) -> list[np.ndarray]:
    """Makes signals of 2 to 6 seconds: a buzz that comes and goes, and noise."""
    from dser_jax.features import RATE

    random = np.random.default_rng(0)
    signals = []
    for _ in range(count):
        moment = np.arange(int(random.uniform(2, 6) * RATE)) / RATE
        pitch = 120 * moment + 2 * np.sin(2 * np.pi * moment)
        buzz = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 20))
        loud = np.clip(np.sin(2 * np.pi * 2 * moment), 0, 1)
        signal = 0.2 * buzz * loud + random.normal(0, 0.003, len(moment))
        signals.append((np.round(signal * 2**15) / 2**15).astype(np.float32))
    return signals


def as_it_comes() -> Callable[[np.ndarray], np.ndarray]:
    """Imports pyAudioAnalysis and returns its own function."""
    from dser_jax.features import HOP, RATE, WINDOW

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from pyAudioAnalysis.ShortTermFeatures import feature_extraction

    def extract(signal: np.ndarray) -> np.ndarray:
        return feature_extraction(signal * 2**15, RATE, WINDOW, HOP, deltas=False)[0].T

    return extract


def extractors(signals: list[np.ndarray], repeats: int) -> dict[str, Any]:
    """Times the extractors in turns, by the processor's seconds; prints their rates."""
    from dser_jax.features import EXTRACTORS

    makers = {"pyAudioAnalysis": as_it_comes}
    makers |= {name: EXTRACTORS[name].make for name in ("paa_package_lld", "paa_lld", "gemaps_lld")}
    extract = {name: make() for name, make in makers.items()}
    frames = {name: sum(len(work(signal)) for signal in signals) for name, work in extract.items()}
    off = 0.0
    for signal in signals:
        package = extract["paa_package_lld"](signal).astype(np.float64)
        error = np.abs(extract["paa_lld"](signal) - package)
        off = max(off, float((error / np.maximum(np.abs(package), 1e-6)).max()))
    seconds: dict[str, list[float]] = {name: [] for name in extract}
    for _ in range(repeats):
        for name, work in extract.items():
            start = time.process_time()
            for signal in signals:
                work(signal)
            seconds[name].append(time.process_time() - start)
    rates = {name: frames[name] / statistics.median(seconds[name]) for name in extract}
    table(
        ("extractor", "frames/s", "us a frame", "paa_lld is"),
        [
            [name, rate, 1e6 / rate, f"{rates['paa_lld'] / rate:.1f}x"]
            for name, rate in rates.items()
        ],
    )
    print(f"paa_lld differs from paa_package_lld by {off:.1e} of a value at most")
    return {
        "recordings": len(signals),
        "frames": frames["paa_lld"],
        "frames_per_second": rates,
        "speed_up": rates["paa_lld"] / rates["paa_package_lld"],
        "speed_up_on_the_package_as_it_comes": rates["paa_lld"] / rates["pyAudioAnalysis"],
        "largest_relative_difference": off,
    }


def openings(files: list[Path], repeats: int) -> dict[str, Any]:
    """Times ways to run openSMILE over files, in turns; prints files a second."""
    from dser_jax.corpora import Utterance
    from dser_jax.features import EXTRACTORS, extract, read
    from dser_jax.system import BadInput

    gemaps = EXTRACTORS["gemaps_lld"]
    utterances = [Utterance(f"{i}", file=file) for i, file in enumerate(files)]
    numbers = count()

    def anew() -> None:
        for file in files:
            gemaps.make()(read(file))

    def once() -> None:
        work = gemaps.make()
        for file in files:
            work(read(file))

    with tempfile.TemporaryDirectory() as folder:

        def processes() -> None:
            keys = extract(gemaps, utterances, Path(folder) / f"{next(numbers)}", bad=BadInput())
            if None in keys:
                raise RuntimeError("a recording was left out")

        sides = {"started for each file": anew, "one by one": once, "dser prepare": processes}
        seconds = in_turns(sides, repeats)
    rates = {name: len(files) / took for name, took in seconds.items()}
    print(f"\nopenSMILE on {len(files)} files")
    table(
        ("openSMILE", "files/s", "over one by one"),
        [[name, rate, rate / rates["one by one"]] for name, rate in rates.items()],
    )
    return {"files": len(files), "files_per_second": rates}


def main() -> int:
    """Measures both, or says what is missing."""
    args = parse(__doc__, "features", HELP)
    try:
        import opensmile  # noqa: F401
        import pyAudioAnalysis  # noqa: F401
        import soundfile

        from dser_jax.features import RATE, read
    except ImportError as error:
        print(f"the audio libraries are not installed ({error}): nothing to measure")
        return 3
    given = [Path(name) for name in args.recordings if name]
    signals = [read(file) for file in given] if given else made_up(args.signals)
    result = extractors(signals, args.repeats)
    if args.files:
        with tempfile.TemporaryDirectory() as folder:
            files = given
            if not given:
                files = [Path(folder) / f"{i}.wav" for i in range(args.files)]
                for file, signal in zip(files, made_up(args.files), strict=True):
                    soundfile.write(file, signal, RATE, subtype="PCM_16")
            result["opensmile"] = openings(files, args.repeats)
    finish("features", args, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
