"""Our lanes against PyTorch: optimizer steps a second, all runs together, at the same settings.

PyTorch trains the same network (`torch_runs.py`) one run after the other, as its users do: neither
`torch.func.vmap` nor cuDNN can train several LSTMs at once. Both sides take the same made-up
utterances, as long as IEMOCAP's, in the same batches of any order, and take turns in one process.
Each is tuned: PyTorch by the number of its threads and, where padding is skipped, by packed
sequences or by cutting the batch to its longest row; ours by the number of lanes. The ratios are
between the best of each.

    pip install "dser_jax[bench]"      # PyTorch; without a GPU its CPU build is enough
    python benchmarks/versus_torch.py
"""

import sys
from typing import Any

from common import Lanes, finish, in_turns, made_up, paper_config, table
from sizes import parse

MISSING = """PyTorch is not installed: nothing to compare with. It is the extra `bench`:

    pip install "dser_jax[bench]"

What the package registry holds for Linux is the CUDA build, of some gigabytes. On a machine without
a GPU, install the CPU build first, from PyTorch's own index (their page "Start locally" has the
command), and then this extra."""


def measure(batch: int, steps: int, args) -> list[dict[str, Any]]:
    """Times an epoch of each side, in turns; returns a row a side."""
    from torch_runs import PADDINGS, TorchRun, pick_device, thread_counts

    data = made_up(steps * batch, tokens=args.tokens)
    sides: dict[tuple[str, str, int], Any] = {}
    for padding in args.padding:
        config = paper_config(args, batch, padding=padding)
        for lanes in args.lanes:
            sides["ours", padding, lanes] = Lanes(config, data, lanes)
    config, device = paper_config(args, batch), pick_device()
    for padding in PADDINGS:
        for threads in thread_counts():
            sides["torch", padding, threads] = TorchRun(config, data, padding, device, threads)
    seconds = in_turns({key: side.epoch for key, side in sides.items()}, args.repeats)
    rows = []
    for (side, padding, count), took in seconds.items():
        rate = steps * (count if side == "ours" else 1) / took
        row = {"side": side, "padding": padding, "steps_per_second": rate}
        rows.append({**row, "lanes" if side == "ours" else "threads": count})
    return rows


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
    found: list[dict[str, Any]] = []
    for batch, steps in zip(args.batch, args.steps, strict=True):
        fewer = args.lanes if batch <= 64 or args.size != "cpu" else [2]
        rows = measure(batch, steps, type(args)(**{**vars(args), "lanes": fewer}))
        found.append({"batch": batch, "rows": rows, "ours_over_torch": ratios(rows)})
        print(f"\nbatch {batch}, {args.tokens} tokens")
        columns = ("side", "padding", "steps/s", "lanes", "threads")
        keys = ("side", "padding", "steps_per_second", "lanes", "threads")
        table(columns, [[row.get(key) for key in keys] for row in rows])
        for padding, ratio in found[-1]["ours_over_torch"].items():
            print(f"{padding}: our best is {ratio:.2f} times as fast as PyTorch's best")
    about = {"torch": torch.__version__, "oneDNN": torch.backends.mkldnn.is_available()}
    if torch.cuda.is_available():
        about |= {"cuDNN": torch.backends.cudnn.version()}
    finish("versus_torch", args, {"found": found, "pytorch": about})
    return 0


if __name__ == "__main__":
    sys.exit(main())
