"""How many kernels a GPU launches for the text LSTMs of an optimizer step, under each schedule.

Counted, not timed: the loss and gradients of three LSTM layers over the tokens of a batch are
compiled, lanes and all, and the instructions of the result are added up, those in loops as often as
the loops run. Each is a kernel, or a copy. Rounds that are data (of loops over chunks of steps) are
those of a fullest row as long as `--longest`. On a processor the instructions are its own.

    python benchmarks/kernels.py
    python benchmarks/kernels.py --target h100

The second needs no GPU: XLA's compiler is asked for an NVIDIA H100's program, without trying
kernels out. It needs `jax-cuda12-plugin`, `jax-cuda12-pjrt` (of JAX's version) and
`nvidia-cuda-nvcc-cu12`, in an environment where JAX has no GPU.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from common import WORDS, table
from programs import environment
from record import Record
from sizes import parse

from dser_jax.config import Config
from dser_jax.models import Batch, Rates, make_network

HELP = {
    "lanes": "runs at a time",
    "schedules": "orders of the recurrence's steps to count",
    "longest": "steps of the fullest row, of utterances that lie end to end",
    "target": "here, or h100: what to compile for",
}

H100 = """
gpu_device_info {
  threads_per_block_limit: 1024  threads_per_warp: 32  shared_memory_per_block: 49152
  shared_memory_per_core: 233472  shared_memory_per_block_optin: 232448
  threads_per_core_limit: 2048  core_count: 132  fpus_per_core: 128
  block_dim_limit_x: 2147483647  block_dim_limit_y: 65535  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000  l2_cache_size: 52428800  device_memory_size: 84929347584
  clock_rate_ghz: 1.98  registers_per_core_limit: 65536  registers_per_block_limit: 65536
  cuda_compute_capability { major: 9 }
}
platform_name: "CUDA"  device_description_str: "NVIDIA H100 80GB HBM3"
dnn_version_info { major: 9 minor: 7 }  runtime_version { major: 12 minor: 8 patch: 0 }
"""
"""What XLA is told of the device; the program is compiled without it."""

NOTHING = {"get-tuple-element", "tuple", "bitcast", "parameter", "constant", "opt-barrier"}
"""Instructions that are none when the program runs."""

_INSTRUCTION = re.compile(r"^(?:ROOT )?%?[\w.\-]+ = (?:\([^=]*\)|\S+) ([a-z][\w\-]*)\(")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$")


def computations(text: str) -> dict[str, list[str]]:
    """Returns the lines of each computation of a compiled program; the whole one is called ""."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in re.sub(r"/\*.*?\*/", "", text).splitlines():
        if head := _HEAD.match(line):
            lines = found["" if head[1] else head[2]] = []
        else:
            lines.append(line.strip())
    return found


def launches(program: dict[str, list[str]], rounds: int, name: str = "") -> int:
    """Counts instructions as often as they run, where loops of unknown length run `rounds` times.

    Of branches the largest counts.
    """
    total = 0
    for line in program[name]:
        kind = (_INSTRUCTION.match(line) or [None, None])[1]
        if kind is None or kind in NOTHING:
            continue
        inner = re.findall(r"(?:body|to_apply|_computation)=%?([\w.\-]+)", line)
        if branches := re.search(r"branch_computations=\{([^}]*)\}", line):
            inner += [branch.strip(" %") for branch in branches[1].split(",")]
        if kind == "while":
            known = re.search(r'known_trip_count":\{"n":"(\d+)"', line)
            total += (int(known[1]) if known else rounds) * launches(program, rounds, inner[0])
        elif kind in ("call", "conditional"):
            total += max(launches(program, rounds, each) for each in inner)
        else:
            total += 1
    return total


def mesh_of(target: str) -> jax.sharding.Mesh:
    """Returns a mesh of one device to compile for."""
    if target == "here":
        return jax.sharding.Mesh(jax.local_devices()[:1], ("one",))
    from jax._src import xla_bridge
    from jax.experimental import topologies

    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0"
    # JAX knows no GPU where there is none, and takes the name of its kind for an error.
    known = xla_bridge.canonicalize_platform
    xla_bridge.canonicalize_platform = lambda platform: (
        "cuda" if platform == "gpu" else known(platform)
    )
    topology = topologies.get_topology_desc(
        platform="cuda", topology_name="h100", target_config=H100, topology="1x1x1"
    )
    return topologies.make_mesh(topology, (1,), ("one",))


def compiled(config: Config, batch: int, lanes: int, mesh: jax.sharding.Mesh) -> Any:
    """Compiles loss and gradients of a text network, mapped over lanes."""
    network = make_network(config, WORDS, config.embedding_dim)
    rates = Rates(*[jnp.float32(0.0)] * 3)

    def given(tokens):
        return Batch(None, tokens, jnp.ones(batch, bool)), rates, False

    def loss(variables, tokens):
        pred: Any = network.apply(variables, *given(tokens))
        return (pred**2).sum()

    shape = (batch, config.max_tokens)
    tokens = jax.ShapeDtypeStruct(shape, jnp.int32)
    variables = jax.eval_shape(
        lambda key, tokens: network.init(key, *given(tokens)), jax.random.key(0), tokens
    )
    where = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    arguments = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((lanes, *a.shape), a.dtype, sharding=where),
        (variables, tokens),
    )
    return jax.jit(jax.vmap(jax.value_and_grad(loss))).lower(*arguments).compile()


def count(batch: int, args, mesh: jax.sharding.Mesh) -> Iterator[dict[str, Any]]:
    """Counts each padding and schedule of a batch size; yields the rows so far."""
    from dser_jax.models.schedules import SCHEDULES

    rows = []
    for padding, name in itertools.product(args.padding, args.schedules):
        config = Config(
            acoustic=None,
            padding=padding,
            units=args.units,
            layers=args.layers,
            embedding_dim=round(args.units * 300 / 256),
            max_tokens=args.tokens,
        )
        with environment({"DSER_RECURRENCE": name}):
            program = compiled(config, batch, args.lanes, mesh)
        rounds = -(-args.longest // SCHEDULES[name].chunk)
        memory = program.memory_analysis()
        rows.append(
            {
                "padding": padding,
                "schedule": name,
                "launches": launches(computations(program.as_text()), rounds),
                "lane_megabytes": memory and memory.temp_size_in_bytes / args.lanes / 2**20,
            }
        )
        yield {"rows": rows}


def main() -> None:
    """Counts for each batch size."""
    args = parse(__doc__, "kernels", HELP, cache=False)
    if args.target != "here":  # There is no CUDA whose versions could be looked at.
        os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"
    record, mesh = Record("kernels", args), mesh_of(args.target)
    for batch in args.batch:
        rows = record.part({"batch": batch}, count(batch, args, mesh))["rows"]
        print(f"\n{args.lanes} lanes, batch {batch}")
        table(("padding", "schedule", "launches", "MB a lane"), [list(r.values()) for r in rows])
    record.finish()


if __name__ == "__main__":
    main()
