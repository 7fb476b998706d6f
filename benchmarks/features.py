"""How fast acoustic features are extracted: our own code against pyAudioAnalysis, and openSMILE.

All take the same recordings in one process, one after another in turns. Seconds are those that the
process computed, on all of its threads together, so that they are a core's whoever else is at work.
pyAudioAnalysis is timed as it comes and as `paa_package_lld` calls it, which makes its table of
chroma bins once instead of once a frame. Prints frames a second and one JSON line.

    python benchmarks/features.py
    python benchmarks/features.py --recordings speech/*.wav
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dser_jax.environment import environment
from dser_jax.features import EXTRACTORS
from dser_jax.features.audio import HOP, RATE, WINDOW, Signal, read


def made_up(count: int) -> list[Signal]:
    """Makes signals of 2 to 6 seconds: a buzz that comes and goes, and noise."""
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


def as_it_comes() -> Callable[[Signal], np.ndarray]:
    """Imports pyAudioAnalysis and returns its own function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from pyAudioAnalysis.ShortTermFeatures import feature_extraction

    def extract(signal: Signal) -> np.ndarray:
        return feature_extraction(signal * 2**15, RATE, WINDOW, HOP, deltas=False)[0].T

    return extract


def main() -> None:
    """Times the extractors in turns, and prints their rates and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=Path, nargs="+", help="by default, made-up sounds")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    signals = [read(file) for file in args.recordings] if args.recordings else made_up(10)
    makers = {"pyAudioAnalysis": as_it_comes}
    makers |= {name: EXTRACTORS[name].make for name in ("paa_package_lld", "paa_lld", "gemaps_lld")}
    extract = {name: make() for name, make in makers.items()}
    frames = {name: sum(len(work(signal)) for signal in signals) for name, work in extract.items()}
    off = 0.0
    for signal in signals:
        package = extract["paa_package_lld"](signal).astype(np.float64)
        error = np.abs(extract["paa_lld"](signal) - package)
        off = max(off, float((error / np.maximum(np.abs(package), 1e-6)).max()))

    seconds = {name: [] for name in extract}
    for _ in range(args.repeats):
        for name, work in extract.items():
            start = time.process_time()
            for signal in signals:
                work(signal)
            seconds[name].append(time.process_time() - start)
    rates = {name: frames[name] / statistics.median(seconds[name]) for name in extract}
    print(f"{'extractor':>16} {'frames/s':>10} {'us a frame':>11} {'paa_lld is':>11}")
    for name, rate in rates.items():
        print(f"{name:>16} {rate:10.0f} {1e6 / rate:11.1f} {rates['paa_lld'] / rate:10.1f}x")
    print(f"paa_lld differs from paa_package_lld by {off:.1e} of a value at most")
    result = {
        "benchmark": "features",
        "recordings": len(signals),
        "repeats": args.repeats,
        "frames": frames["paa_lld"],
        "frames_per_second": rates,
        "speed_up": rates["paa_lld"] / rates["paa_package_lld"],
        "speed_up_on_the_package_as_it_comes": rates["paa_lld"] / rates["pyAudioAnalysis"],
        "largest_relative_difference": off,
    }
    print(json.dumps(result | environment()))


if __name__ == "__main__":
    main()
