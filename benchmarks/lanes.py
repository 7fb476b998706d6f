"""How much more work a program does with more lanes, and than plain JAX: lane-steps a second.

A lane-step is one optimizer step of one run: LSTM + LSTM on functionals and text, at the paper's
widths, on made-up utterances as long as IEMOCAP's. Padding is fed to the network ("keras") or
skipped ("masked"). The other side is `plain.py`: the same training as an ordinary scan over all
steps, under `vmap`; and its one lane, which is how one would train run after run. The last part is
a row of Table 3: sequences of descriptors, of which 450 of 3409 frames are real on average.

    python benchmarks/lanes.py
    python benchmarks/lanes.py --batch 8 --lanes 1 20 --plain-lanes 1 20
"""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from common import Lanes, finish, in_turns, made_up, paper_config, table
from jax.errors import JaxRuntimeError
from plain import PlainLanes
from sizes import parse

HELP = {
    "plain_lanes": "lanes of the plain side",
    "frames": "frames of the longest utterance in Table 3's row",
    "frame_lanes": "lanes of either side in Table 3's row",
    "frame_steps": "optimizer steps an epoch in Table 3's row",
}


def measure(config, data, ours: list[int], plain: list[int], args) -> list[dict[str, Any]]:
    """Times an epoch of each side and each number of lanes, in turns.

    Numbers of lanes that memory does not hold are left out, and all above them.
    """
    makers: dict[str, tuple[Callable, list[int]]] = {}
    for name in args.padding:
        changed = dataclasses.replace(config, padding=name)
        makers[name] = (lambda n, changed=changed: Lanes(changed, data, n), ours)
    makers["plain"] = (lambda n: PlainLanes(config, data, n), plain)
    sides, epochs = {}, {}
    for name, (make, counts) in makers.items():
        for count in counts:
            try:
                side = make(count)
                side.epoch()
            except JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                print(f"{name}: {count} lanes do not fit in memory")
                break
            sides[name, count], epochs[name, count] = side, side.epoch
            print(f"{name}, {count} lanes: compiled", file=sys.stderr)
    seconds = in_turns(epochs, args.repeats)
    steps = -(-len(data.train) // config.batch_size)
    rates = {key: key[1] * steps / took for key, took in seconds.items()}
    rows = []
    for (name, count), rate in rates.items():
        plainly = rates.get(("plain", count))
        rows.append(
            {
                "side": name,
                "lanes": count,
                "lane_steps_per_second": rate,
                "over_one_lane": rate / rates[name, min(n for side, n in rates if side == name)],
                "over_plain": None if plainly is None else rate / plainly,
                "over_plain_one_by_one": rate / rates["plain", min(plain)],
                "lane_megabytes": (side_bytes := sides[name, count].lane_bytes())
                and side_bytes / 2**20,
            }
        )
    return rows


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Prints a table of what was measured."""
    print(f"\n{title}")
    columns = ("side", "lanes", "lane-steps/s", "over 1 lane", "over plain", "plain, 1 by 1")
    table((*columns, "MB a lane"), [list(row.values()) for row in rows])


def main() -> None:
    """Measures each batch size, then the row of Table 3."""
    args = parse(__doc__, "lanes", HELP)
    found = []
    for batch, steps in zip(args.batch, args.steps, strict=True):
        data = made_up(steps * batch, tokens=args.tokens)
        config = paper_config(args, batch)
        ours, plain = args.lanes, args.plain_lanes
        if batch > 64 and args.size == "cpu":  # A step takes seconds.
            ours, plain = ours[:2], plain[:1]
        rows = measure(config, data, ours, plain, args)
        show(f"functionals and {args.tokens} tokens, batch {batch}", rows)
        found.append({"input": "functionals + text", "batch": batch, "rows": rows})
    if args.frames:
        batch = min(8, args.batch[0])
        data = made_up(args.frame_steps * batch, tokens=None, frames=args.frames)
        config = paper_config(args, batch, text=None, features="gemaps_lld")
        rows = measure(config, data, args.frame_lanes, args.frame_lanes, args)
        show(f"{args.frames} frames of descriptors, batch {batch}", rows)
        found.append({"input": "frames", "batch": batch, "rows": rows})
    finish("lanes", args, {"found": found})


if __name__ == "__main__":
    main()
