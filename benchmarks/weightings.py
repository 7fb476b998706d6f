"""What it costs to weigh the losses in another way: a lane-step by family, against fixed weights.

A lane-step is one optimizer step of one run: LSTM + LSTM, or dense networks, on functionals and
text, at the paper's widths, on made-up utterances as long as IEMOCAP's. Methods that look at losses
are lanes of one program, as are those that look at the tasks' gradients, which take three backward
passes for each forward one; FAMO takes one more forward pass.

    python benchmarks/weightings.py
    python benchmarks/weightings.py --batch 8 --lanes 1 20
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from common import MadeUp, paper_config, rounds, table
from programs import Side
from record import Record
from sizes import fitting, parse

FAMILIES = ("fixed", "losses", "famo", "gradients")
HELP = {"networks": "of both halves: lstm, mlp"}


def parts(args) -> list[tuple[dict[str, Any], dict[str, Side]]]:
    """Returns the parts that are measured, each its name and its sides."""
    found = []
    for batch, steps in zip(args.batch, args.steps, strict=True):
        for lanes in fitting(args.lanes, batch, args.size):
            data = MadeUp(steps * batch, tokens=args.tokens)
            for network in args.networks:
                halves = {"acoustic": network, "text": network}
                config = paper_config(args, batch, padding="masked", **halves)
                sides = {
                    family: Side(dataclasses.replace(config, weighting=family), data, lanes)
                    for family in FAMILIES
                }
                found.append(({"network": network, "batch": batch, "lanes": lanes}, sides))
    return found


def programs(args) -> list[Side]:
    """Returns all sides, whose programs are compiled."""
    return [side for _, sides in parts(args) for side in sides.values()]


def measure(sides: dict[str, Side], repeats: int) -> Iterator[dict[str, Any]]:
    """Times an epoch of each family, in turns; yields all ratios after each turn."""
    made = {family: side.make() for family, side in sides.items()}
    for one in made.values():
        one.epoch()
    for seconds in rounds({family: one.epoch for family, one in made.items()}, repeats):
        rows = [
            {"family": family, "seconds": took, "over_fixed": took / seconds["fixed"]}
            for family, took in seconds.items()
        ]
        yield {"rows": rows}


def main() -> None:
    """Measures each network and batch size."""
    args = parse(__doc__, "weightings", HELP)
    record = Record("weightings", args)
    for name, sides in parts(args):
        found = record.part(name, measure(sides, args.repeats))
        print("\n" + ", ".join(f"{key} {value}" for key, value in name.items()))
        table(("family", "s an epoch", "over fixed"), [list(r.values()) for r in found["rows"]])
    record.finish()


if __name__ == "__main__":
    main()
