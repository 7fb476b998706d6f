"""How much more work a program does with more lanes, and than plain JAX: lane-steps a second.

A lane-step is one optimizer step of one run: LSTM + LSTM on functionals and text, at the paper's
widths, on made-up utterances as long as IEMOCAP's. Padding is fed to the network ("keras") or
skipped ("masked"). The other side is `plain.py`: the same training as an ordinary scan over all
steps, under `vmap`; and its one lane, which is how one would train run after run. The last part is
a row of Table 3: sequences of descriptors, of which 450 of 3409 frames are real on average.

    python benchmarks/lanes.py
    python benchmarks/lanes.py --batch 8 --lanes 1 20 --plain-lanes 1 20

Every order in which a device may go through the steps (`dser_jax/models/schedules.py`), with loops
launched kernel by kernel and as graphs, side by side: whether the rule chooses well on yours.

    python benchmarks/lanes.py --schedules packed lean rows --graphs 0 1 --frames 0
"""

import dataclasses
import itertools
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from common import MadeUp, paper_config, rounds, table
from jax.errors import JaxRuntimeError
from programs import Side
from record import Record
from sizes import MANY, fitting, parse

Key = tuple[str, int]
"""A side and its lanes."""

HELP = {
    "plain_lanes": "lanes of the plain side",
    "half_lanes": "lanes whose recurrent products take bfloat16, at the small batch; 0 for none",
    "schedules": "orders of the recurrence's steps to compare: packed, lean, rows, or what the "
    "device has by default (rule)",
    "graphs": "how a GPU launches loops: kernel by kernel (0), as graphs (1), by default (rule)",
    "frames": "frames of the longest utterance in Table 3's row",
    "frame_lanes": "lanes of either side in Table 3's row",
    "frame_steps": "optimizer steps an epoch in Table 3's row",
}


def sides(config, data: MadeUp, ours: list[int], plain: list[int], args) -> dict[Key, Side]:
    """Returns the sides of a part, by name and number of lanes."""
    found = {}
    for padding, schedule, graphs in itertools.product(args.padding, args.schedules, args.graphs):
        changed = dataclasses.replace(config, padding=padding)
        chosen = {"DSER_RECURRENCE": schedule, "DSER_LOOP_GRAPHS": graphs}
        under = tuple((name, value) for name, value in chosen.items() if value != "rule")
        name = padding + f", {schedule}" * (schedule != "rule")
        name += f", graphs {graphs}" * (graphs != "rule")
        found |= {(name, lanes): Side(changed, data, lanes, under=under) for lanes in ours}
    return found | {("plain", lanes): Side(config, data, lanes, plain=True) for lanes in plain}


def parts(args) -> list[tuple[dict[str, Any], dict[Key, Side]]]:
    """Returns the parts that are measured, each its name and its sides."""
    found = []
    for batch, steps in zip(args.batch, args.steps, strict=True):
        ours = fitting(args.lanes, batch, args.size)
        plain = [n for n in args.plain_lanes if batch <= MANY or n in ours]
        data = MadeUp(steps * batch, tokens=args.tokens)
        config = paper_config(args, batch)
        each = sides(config, data, ours, plain, args)
        for lanes in args.half_lanes if batch <= MANY else ():
            if lanes:
                halved = dataclasses.replace(config, padding="masked", half_recurrence=True)
                each["masked, half", lanes] = Side(halved, data, lanes)
        found.append(({"input": "functionals + text", "batch": batch}, each))
    if args.frames:
        batch = min(8, args.batch[0])
        data = MadeUp(args.frame_steps * batch, tokens=None, frames=args.frames)
        config = paper_config(args, batch, text=None, features="gemaps_lld")
        each = sides(config, data, args.frame_lanes, args.frame_lanes, args)
        found.append(({"input": "frames", "batch": batch}, each))
    return found


def programs(args) -> list[Side]:
    """Returns all sides, whose programs are compiled."""
    return [side for _, each in parts(args) for side in each.values()]


def measure(part: dict[Key, Side], repeats: int) -> Iterator[dict[str, Any]]:
    """Times an epoch of each side, in turns; yields a row a side after each turn.

    Numbers of lanes that memory does not hold are left out, and all above them.
    """
    made: dict[Key, Any] = {}
    full = set()
    for (name, lanes), side in part.items():
        one = None if name in full else held(f"{name}, {lanes} lanes", partial(ready, side))
        if one is None:
            full.add(name)
        else:
            made[name, lanes] = one
    for (name, lanes), one in list(made.items()):
        if held(f"{name}, {lanes} lanes beside the others", one.epoch) is None:
            del made[name, lanes]
    steps = {key: len(part[key].data.make().train) // part[key].config.batch_size for key in made}
    for seconds in rounds({key: one.epoch for key, one in made.items()}, repeats):
        rates = {key: key[1] * steps[key] / took for key, took in seconds.items()}
        rows = [row(key, rates, made[key].lane_bytes()) for key in rates]
        yield {"rows": rows}


def ready(side: Side) -> Any:
    """Makes a side and trains it for an epoch."""
    one = side.make()
    one.epoch()
    return one


def held(title: str, call: Callable[[], Any]) -> Any:
    """Returns what a call does; None, and says so, where memory does not hold what it needs."""
    try:
        value = call()
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        print(f"{title}: do not fit in memory", flush=True)
        return None
    print(f"{title}: ready", file=sys.stderr, flush=True)
    return value


def row(key: Key, rates: dict[Key, float], taken: float | None) -> dict[str, Any]:
    """Returns what is told of a side, beside the others."""
    (name, lanes), rate = key, rates[key]

    def over(side: str, count: int) -> float | None:
        return rate / rates[side, count] if (side, count) in rates else None

    return {
        "side": name,
        "lanes": lanes,
        "lane_steps_per_second": rate,
        "over_one_lane": over(name, 1),
        "over_plain": over("plain", lanes),
        "over_plain_one_by_one": over("plain", 1),
        "lane_megabytes": taken and taken / 2**20,
    }


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Prints a table of what was measured."""
    print(f"\n{title}")
    columns = ("side", "lanes", "lane-steps/s", "over 1 lane", "over plain", "plain, 1 by 1")
    table((*columns, "MB a lane"), [list(row.values()) for row in rows])


def main() -> None:
    """Measures each batch size, then the row of Table 3."""
    args = parse(__doc__, "lanes", HELP)
    record = Record("lanes", args)
    for name, each in parts(args):
        found = record.part(name, measure(each, args.repeats))
        show(", ".join(f"{key} {value}" for key, value in name.items()), found["rows"])
    record.finish()


if __name__ == "__main__":
    main()
