"""Loops of a GPU program as single launches, where the installed XLA can: tried once, in a child.

A program's loops are launched kernel by kernel, from the host, unless XLA makes a graph of a whole
loop, which is one launch. It has such graphs (its "command buffers"), but leaves loops out of them
by default, and some versions of jaxlib end the process when such a loop runs for the second time
(openxla/xla#35760). So a child process tries a small program, and times it both ways; what came of
it is remembered.
"""

from __future__ import annotations

import functools
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from typing import Any

from dser_jax.system.compile_cache import recall, remember
from dser_jax.system.errors import DserError

VARIABLE = "DSER_LOOP_GRAPHS"
"""The environment variable: 0 launches loops kernel by kernel, 1 as graphs, without a trial."""

FLAG = "xla_gpu_enable_command_buffer"
GRAPHS = {FLAG: "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,WHILE"}
"""What XLA makes graphs of by default (jaxlib 0.10), and loops."""

MEMORY = "loops.json"
"""File beside the compiled programs: jaxlib and device -> what graphs of loops gain there."""

SECONDS = 180.0
"""Time that a trial may take. Two small programs are compiled, on a host that may be busy."""

READY, HELD = "ready", "held"
"""What a trial prints: before its first graph is run; and, once all have given what they should,
with how many times as fast graphs were."""

GAIN = "gain"
"""In what is remembered: how many times as fast graphs were; 0 where they failed."""

TIMES = 10
"""So often a trial runs its small program either way; the shortest time counts."""

TRIAL = (sys.executable, "-c", "from dser_jax.system.loops import attempt; attempt()")


def loop_options(platform: str, kind: str) -> dict[str, str | bool]:
    """Returns XLA's options for programs of many serial steps; none but for a GPU.

    Values do not depend on them: the kernels are the same.

    Args:
      platform: Of the device, as JAX names it.
      kind: Likewise.

    Raises:
      DserError: `DSER_LOOP_GRAPHS` is neither 0 nor 1.
    """
    if platform != "gpu":
        return {}
    decided = _by_environment()
    graphs = _gain(kind, TRIAL) > 1 if decided is None else decided[0]
    return dict(GRAPHS) if graphs else {}


def loops_in_words(kind: str) -> str:
    """Tells how a GPU's programs launch their loops, as far as is known without a trial.

    Args:
      kind: Of the device, as JAX names it.

    Raises:
      DserError: As of `loop_options`.
    """
    if (decided := _by_environment()) is not None:
        return decided[1]
    known = recall(MEMORY, _name(kind))
    if known is None:
        return f"{_KERNELS}, as no folder for compiled programs keeps what a trial would find"
    if (gain := _kept(known)) is None:
        return "by what a trial finds when a sweep first compiles"
    if gain > 1:
        return f"{_AS_GRAPHS}, {gain:.1f} times as fast in a trial"
    failed = f"were no faster in a trial ({gain:.2f} times)" if gain else "failed in a trial"
    return f"{_KERNELS}: graphs of loops {failed}"


_AS_GRAPHS, _KERNELS = "as graphs, a launch a loop", "kernel by kernel"


def _by_environment() -> tuple[bool, str] | None:
    """Returns whether we ask for graphs, and what is to be said of it; None where a trial tells."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen == "0":
        return False, f"{_KERNELS}, as {VARIABLE} is 0"
    if FLAG in os.environ.get("XLA_FLAGS", ""):
        return False, f"as XLA_FLAGS says with {FLAG}"
    if chosen == "1":
        return True, f"{_AS_GRAPHS}, as {VARIABLE} is 1"
    if chosen:
        raise DserError(f"{VARIABLE} is {chosen!r}; expected 0 or 1, or nothing for a trial")
    return None


def _name(kind: str) -> str:
    return f"jaxlib {metadata.version('jaxlib')}, {kind}"


@functools.cache
def _gain(kind: str, command: Sequence[str]) -> float:
    """Returns how many times as fast loops are as graphs, by memory or else by trial.

    0 where they do not hold, and where nothing is remembered: each start would have to try.
    """
    name = _name(kind)
    known = recall(MEMORY, name)
    if known is None:
        return 0.0
    if (gain := _kept(known)) is None:
        gain = try_out(command)
        if gain is None:
            return 0.0
        remember(MEMORY, name, {GAIN: gain})
    return gain


def _kept(known: Mapping[str, Any]) -> float | None:
    """Returns what is remembered of a trial; None where there was none."""
    gain = known.get(GAIN)
    return gain if type(gain) is float and gain >= 0 else None


def try_out(command: Sequence[str], seconds: float = SECONDS) -> float | None:
    """Runs a trial in a process of its own, which may crash or hang.

    Returns:
      How many times as fast graphs of loops are, 0 where they do not hold; None where the trial did
      not come so far as to run one.
    """
    # The memory that this process has taken is not asked for again.
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false", VARIABLE: "0"}
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        said, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(child)
        said, _ = child.communicate()
    except BaseException:  # Ctrl-C is for this process; the child is in a session of its own.
        _end(child)
        raise
    text = said.decode("utf-8", "replace")
    if READY not in text.split():
        return None
    held = re.search(rf"^{HELD} (\d+\.\d+)$", text, re.MULTILINE)
    return float(held[1]) if held and child.returncode == 0 else 0.0


def _end(child: subprocess.Popen) -> None:
    """Ends a child and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def attempt() -> None:
    """Runs loops like those of training, as graphs and kernel by kernel, and compares.

    Several lanes; an outer loop of known length, one whose rounds are data, and steps in which a
    product waits for the one before. Each program runs several times, on other values.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    lanes, chunks, steps, units = 4, 5, 6, 32

    def epoch(kernel, x, start):
        def update(kernel, _):
            def chunk(number, carry):
                def step(state, x):
                    state = jnp.tanh(x[None] + state @ kernel)
                    return state, state

                state, kept = carry
                state, new = lax.scan(step, state, x[number], unroll=2)
                return state, kept.at[number].set(new)

            state, kept = jnp.zeros((2, units)), jnp.zeros((chunks, steps, 2, units))
            state, kept = lax.fori_loop(start, jnp.int32(chunks), chunk, (state, kept))
            return kernel - 0.01 * state.T @ kept.sum((0, 1)), kept.sum()

        return lax.scan(update, kernel, length=3)

    random = np.random.default_rng(0)

    def values(start):
        made = random.normal(0, 0.2, (lanes, units, units + chunks * steps)).astype(np.float32)
        x = made[..., units:].swapaxes(1, 2).reshape(lanes, chunks, steps, units)
        return jnp.asarray(made[..., :units]), jnp.asarray(x), jnp.int32(start)

    lowered = jax.jit(jax.vmap(epoch, in_axes=(0, 0, None))).lower(*values(0))
    plain = lowered.compile()
    jax.block_until_ready(plain(*values(0)))
    print(READY, flush=True)
    graph = lowered.compile(compiler_options=dict(GRAPHS))
    for start in (0, 3, 1, 0):
        given = values(start)
        for one, other in zip(graph(*given), plain(*given), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    given = values(0)
    took = dict.fromkeys(("graph", "plain"), math.inf)
    for _ in range(TIMES):  # In turns, as something else may keep the host busy.
        for name, program in (("graph", graph), ("plain", plain)):
            begun = time.perf_counter()
            jax.block_until_ready(program(*given))
            took[name] = min(took[name], time.perf_counter() - begun)
    print(HELD, f"{took['plain'] / took['graph']:.3f}", flush=True)
