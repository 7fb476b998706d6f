"""Our lanes against PyTorch: optimizer steps a second, all runs together, at the same settings.

PyTorch trains the same network (`torch_runs.py`) one run after the other, as its users do: neither
`torch.func.vmap` nor cuDNN can train several LSTMs at once. Both take the same made-up utterances,
as long as IEMOCAP's, in the same batches of any order, in turns. Each of PyTorch's ways is a
process of its own, which does nothing while another is timed.

Each side is tuned: ours by the number of lanes; PyTorch, by the number of its threads, by packing
sequences or by cutting the batch to its longest row, by `torch.compile`, and on a GPU by the whole
step as a CUDA graph. The ratios are between the best of each. A way that this machine does not have
(no GPU, no compiler) is left out and named.

    pip install "dser_jax[bench]"      # PyTorch; without a GPU its CPU build is enough
    python benchmarks/versus_torch.py
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from common import MadeUp, paper_config, rounds, table
from programs import Side
from record import Record
from sizes import fitting, parse

MISSING = """PyTorch is not installed: nothing to compare with. It is the extra `bench`:

    pip install "dser_jax[bench]"

What the package registry holds for Linux is the CUDA build, of some gigabytes. On a machine without
a GPU, install the CPU build first, from PyTorch's own index (their page "Start locally" has the
command), and then this extra."""


def sides(args: argparse.Namespace, batch: int, steps: int) -> dict[tuple[str, int], Side]:
    """Returns our sides at a batch size, by what is done with padding and the lanes."""
    data = MadeUp(steps * batch, tokens=args.tokens)
    lanes = fitting(args.lanes, batch, args.size)
    configs = {padding: paper_config(args, batch, padding=padding) for padding in args.padding}
    return {
        (padding, n): Side(config, data, n) for padding, config in configs.items() for n in lanes
    }


def programs(args: argparse.Namespace) -> list[Side]:
    """Returns our sides."""
    each = zip(args.batch, args.steps, strict=True)
    return [side for batch, steps in each for side in sides(args, batch, steps).values()]


def measure(ours: dict[tuple[str, int], Side], steps: int, repeats: int) -> Iterator[dict]:
    """Times an epoch of each side, in turns; yields a row a side after each turn."""
    from torch_process import TorchProcess, ways

    epochs: dict[Any, Any] = {}
    about: dict[Any, dict[str, Any]] = {}
    for (padding, lanes), side in ours.items():
        key = ("ours", padding, lanes)
        epochs[key] = side.make().epoch
        about[key] = {"lanes": lanes}
    left_out, theirs = [], []
    one = next(iter(ours.values()))
    try:
        for way in ways():
            process = TorchProcess(one.config, one.data, way)
            theirs.append(process)
            if (why := process.missing()) is not None:
                left_out.append(f"{way}: {why}")
                print(f"left out, {left_out[-1]}", flush=True)
                continue
            key = ("torch", way.padding, str(way))
            epochs[key] = process.epoch
            about[key] = {"threads": way.threads, "step": way.step}
        for seconds in rounds(epochs, repeats):
            rows = [
                {
                    "side": key[0],
                    "padding": key[1],
                    "steps_per_second": steps * about[key].get("lanes", 1) / took,
                    **about[key],
                }
                for key, took in seconds.items()
            ]
            yield {"rows": rows, "ours_over_torch": ratios(rows), "left_out": left_out}
    finally:
        for process in theirs:
            process.end()


def ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Returns how much faster our best is than PyTorch's best, for each way with padding."""
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        key = row["side"], row["padding"].split(",")[0]
        best[key] = max(best.get(key, 0.0), row["steps_per_second"])
    ours = [padding for side, padding in best if side == "ours"]
    return {padding: best["ours", padding] / best["torch", padding] for padding in ours}


def main() -> int:
    """Measures each batch size and prints the ratios."""
    args = parse(__doc__, "versus_torch")
    try:
        import torch
    except ImportError:
        print(MISSING)
        return 3
    record = Record("versus_torch", args)
    for batch, steps in zip(args.batch, args.steps, strict=True):
        part = measure(sides(args, batch, steps), steps, args.repeats)
        found = record.part({"batch": batch}, part)
        print(f"\nbatch {batch}, {args.tokens} tokens")
        columns = ("side", "padding", "step", "steps/s", "lanes", "threads")
        keys = ("side", "padding", "step", "steps_per_second", "lanes", "threads")
        table(columns, [[row.get(key) for key in keys] for row in found["rows"]])
        for padding, ratio in found["ours_over_torch"].items():
            print(f"{padding}: our best is {ratio:.2f} times as fast as PyTorch's best")
    about = {"torch": torch.__version__, "oneDNN": torch.backends.mkldnn.is_available()}
    if torch.cuda.is_available():
        about |= {"cuDNN": torch.backends.cudnn.version()}
    record.finish(pytorch=about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
