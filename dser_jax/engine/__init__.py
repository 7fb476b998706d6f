"""Many runs at once: lanes of one compiled program, refilled as runs end.

In: a queue of runs. Out: outcomes, one by one; checkpoints of what is under way. Open `lanes.py`
first (the loop), then `program.py` (the only `vmap` and `jit` of a run); `ray/` has such a loop on
each GPU of a cluster.
"""

from typing import TYPE_CHECKING

from dser_jax.system.names import exports

if TYPE_CHECKING:
    from dser_jax.engine.checkpoint import Checkpoints
    from dser_jax.engine.lanes import train_runs
    from dser_jax.engine.pace.setting import compile_ahead, set_out
    from dser_jax.engine.program import compile_program, lane_state, send
    from dser_jax.engine.progress import SweepProgress, Tick
    from dser_jax.engine.ray.cluster import cluster, cluster_devices
    from dser_jax.engine.ray.crew import train_on_ray
    from dser_jax.engine.sizing import choose_lanes, free_bytes, is_processor
    from dser_jax.engine.terms import Hooks, Judge
    from dser_jax.engine.trees import load_tree, save_tree
else:
    __getattr__, __dir__, __all__ = exports(__name__)
