"""How far from the machine's limits a lane-step is: its arithmetic and traffic against ceilings.

Floating-point operations of one optimizer step of one run are counted three ways. By hand, from the
widths: for all steps of padding, and for those needed, which are the real tokens and, where padding
is fed to the network, its states once a batch. In the program, by its jaxpr, where a loop whose
rounds depend on the data counts once. And by XLA's cost analysis of the whole program, which counts
the body of every loop once, and is shown for that reason. Bytes by hand are those that cannot be
kept in a cache: parameters, gradients and RMSprop's moments, once a step, and what the forward pass
keeps for the backward pass, written and read once.

Ceilings are this machine's own, measured in the same process in turns with the steps: a large
matrix product, products of the recurrence's shape, and a large array added to in its place.

    python benchmarks/roofline.py
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from common import (
    FUNCTIONALS,
    TOKEN_MEAN,
    WORDS,
    MadeUp,
    in_turns,
    paper_config,
    table,
)
from programs import Side
from record import Record
from sizes import parse

HELP = {
    "lanes": "runs at a time, one number for each batch size",
    "square": "rows and columns of the large matrix product",
    "megabytes": "size of the array that is added to",
}


def flops_by_hand(config, tokens: float) -> float:
    """Returns multiplications and additions of a step over so many tokens an utterance.

    Matrix products alone: forward, and twice as many backward (once for the inputs, once for the
    weights; the first layers' inputs have no gradient but the embedding's).
    """
    units, widths = config.units, config.fusion
    gates = 4 * units
    layers = config.layers
    speech = (FUNCTIONALS + (layers - 1) * units) * gates  # one step: nothing recurs
    text = tokens * gates * (config.embedding_dim + (layers - 1) * units + layers * units)
    text += units * config.text_dense
    joined = units + config.text_dense
    fusion = joined * widths[0] + widths[0] * widths[1] + 3 * widths[1]
    return 3 * 2 * config.batch_size * (speech + text + fusion)


def bytes_by_hand(config, tokens: float) -> float:
    """Returns bytes that a step must move: the optimizer's arrays, and what backward needs."""
    units = config.units
    gates = 4 * units
    layers = config.layers
    parameters = WORDS * config.embedding_dim + gates * (config.embedding_dim + FUNCTIONALS)
    parameters += 2 * gates * (layers * (units + 2) + (layers - 1) * units)
    # Parameters and moments are read and written; gradients are written once and read once.
    optimizer = 6 * 4 * parameters
    # Of each layer and step are kept: gates, cell and state, for the way back.
    kept = layers * config.batch_size * tokens * (gates + 2 * units)
    return optimizer + 2 * 4 * kept


def flops_in_program(jaxpr) -> float:
    """Counts the matrix products of a jaxpr; a loop counts as often as it runs.

    Of branches the largest counts; a loop of unknown length counts once.
    """
    total = 0.0
    for equation in jaxpr.eqns:
        inner = [sub for value in equation.params.values() for sub in _jaxprs(value)]
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            first = equation.invars[0].aval.shape
            size = 2.0
            for axis in contracted:
                size *= first[axis]
            for length in equation.outvars[0].aval.shape:
                size *= length
            total += size
        elif equation.primitive.name == "cond":
            total += max(flops_in_program(each) for each in inner)
        else:
            times = equation.params["length"] if equation.primitive.name == "scan" else 1
            total += times * sum(flops_in_program(each) for each in inner)
    return total


def _jaxprs(value: Any) -> list[Any]:
    if hasattr(value, "jaxpr"):  # closed
        return [value.jaxpr]
    if hasattr(value, "eqns"):
        return [value]
    if isinstance(value, tuple | list):
        return [sub for each in value for sub in _jaxprs(each)]
    return []


def ceilings(args, batch: int, lanes: int) -> dict[str, tuple[Any, float]]:
    """Returns what measures each ceiling, and the operations or bytes of one call."""
    import jax
    import jax.numpy as jnp

    from dser_jax.models import row_count

    units = args.units
    rows = row_count(batch)
    large = jax.random.normal(jax.random.key(0), (args.square, args.square))
    state = jax.random.normal(jax.random.key(1), (lanes, rows, units))
    kernel = jax.random.normal(jax.random.key(2), (lanes, units, 4 * units))
    array = jnp.zeros((args.megabytes * 2**20 // 4,))
    traffic = 2.0 * array.nbytes
    product = jax.jit(lambda a: a @ a)
    steps = 16

    @jax.jit
    def recurrence(state, kernel):
        def step(state, _):
            gates = jnp.einsum("lbu,lug->lbg", state, kernel)
            return jnp.tanh(gates[..., :units]), None

        return jax.lax.scan(step, state, length=steps)[0]

    add = jax.jit(lambda a: a + 1.0, donate_argnums=0)
    wait = jax.block_until_ready

    def in_place():
        nonlocal array
        array = wait(add(array))

    return {
        "large product": (lambda: wait(product(large)), 2.0 * args.square**3),
        "recurrent products": (
            lambda: wait(recurrence(state, kernel)),
            2.0 * steps * lanes * rows * units * 4 * units,
        ),
        "memory": (in_place, traffic),
    }


def rows_of(args, batch: int, steps: int) -> MadeUp:
    """Returns what is trained on at a batch size."""
    return MadeUp(steps * batch, tokens=args.tokens)


def sides_of(args, batch: int, steps: int, lanes: int) -> dict[str, Side]:
    """Returns our sides at a batch size, by what is done with padding."""
    data = rows_of(args, batch, steps)
    configs = {padding: paper_config(args, batch, padding=padding) for padding in args.padding}
    return {padding: Side(config, data, lanes) for padding, config in configs.items()}


def programs(args) -> list[Side]:
    """Returns our sides."""
    each = zip(args.batch, args.steps, args.lanes, strict=True)
    return [side for sizes in each for side in sides_of(args, *sizes).values()]


def measure(batch: int, steps: int, lanes: int, args) -> Iterator[dict[str, Any]]:
    """Counts and times a lane-step and the ceilings; prints and yields them."""
    import jax

    from dser_jax.engine import lane_state
    from dser_jax.training import HParams, make_run

    limits = ceilings(args, batch, lanes)
    sides, ours = {name: call for name, (call, _) in limits.items()}, {}
    data = rows_of(args, batch, steps).make()
    for padding, wanted in sides_of(args, batch, steps, lanes).items():
        config = wanted.config
        side = wanted.make()
        run = make_run(config, WORDS, config.embedding_dim)
        epoch = jax.make_jaxpr(run.epoch)(HParams(), lane_state(run, data), data)
        ours[padding] = (side, flops_in_program(epoch.jaxpr) / steps)
        sides[padding] = side.epoch
    seconds = in_turns(sides, args.repeats)
    rate = {name: size / seconds[name] for name, (_, size) in limits.items()}
    print(f"\nbatch {batch}, {lanes} lanes: this machine's ceilings")
    table(
        ("large product", "products of the recurrence", "memory"),
        [
            [
                f"{rate['large product'] / 1e9:,.1f} GFLOP/s",
                f"{rate['recurrent products'] / 1e9:,.1f} GFLOP/s",
                f"{rate['memory'] / 1e9:,.1f} GB/s",
            ]
        ],
    )
    config, rows = paper_config(args, batch), []
    real_tokens = float((np.asarray(data.tokens)[data.train] != 0).sum(1).mean())
    # Fed padding is the same in front of all utterances: once a batch is enough.
    fed = min(args.tokens, real_tokens + args.tokens / batch)
    needed = {"masked": real_tokens, "keras": fed}
    full = flops_by_hand(config, args.tokens)
    for padding, (side, counted) in ours.items():
        cost = getattr(side.program.advance, "cost_analysis")() or {}  # noqa: B009
        work = flops_by_hand(config, needed[padding])
        traffic = bytes_by_hand(config, needed[padding])
        a_step = seconds[padding] / (steps * lanes)
        floor = max(work / rate["large product"], traffic / rate["memory"])
        rows.append(
            {
                "padding": padding,
                "seconds": a_step,
                "gflop_all_steps": full / 1e9,
                "gflop_needed": work / 1e9,
                "gflop_in_program": counted / 1e9,
                "gflop_by_xla": cost.get("flops", float("nan")) / 1e9,
                "megabytes_needed": traffic / 1e6,
                "megabytes_by_xla": cost.get("bytes accessed", float("nan")) / 1e6,
                "gflop_per_second": work / a_step / 1e9,
                "of_large_product": work / a_step / rate["large product"],
                "of_memory": traffic / a_step / rate["memory"],
                "of_roofline": floor / a_step,
            }
        )
    titles = (
        "padding",
        "ms",
        "GFLOP: all steps",
        "needed",
        "in program",
        "XLA",
        "MB: needed",
        "XLA",
    )
    names = list(rows[0])
    table(
        titles,
        [[row["padding"], 1e3 * row["seconds"], *(row[n] for n in names[2:8])] for row in rows],
    )
    titles = ("padding", "GFLOP/s", "of the product", "of the memory", "of the roofline")
    table(titles, [[row["padding"], *(row[name] for name in names[8:])] for row in rows])
    limit = {
        "flops_large_product": rate["large product"],
        "flops_recurrent_products": rate["recurrent products"],
        "bytes_memory": rate["memory"],
    }
    yield {"ceilings": limit, "rows": rows}


def main() -> None:
    """Measures each batch size."""
    args = parse(__doc__, "roofline", HELP)
    record = Record("roofline", args)
    for batch, steps, lanes in zip(args.batch, args.steps, args.lanes, strict=True):
        record.part({"batch": batch, "lanes": lanes}, measure(batch, steps, lanes, args))
    record.finish(mean_tokens=TOKEN_MEAN)


if __name__ == "__main__":
    main()
