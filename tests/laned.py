"""Runs of the toy data set in lanes, for the tests of the engine."""

import jax
import numpy as np
from tiny import CONFIG, make_dataset

from dser_jax.engine import lanes as engine
from dser_jax.engine import sizing
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.pace import setting
from dser_jax.engine.program import compile_program, send
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

DATASET = make_dataset()
LANES = 4


def pose_as_accelerator(monkeypatch):
    """Has the processor pass for an accelerator where lanes and schedules are decided."""
    for module in (sizing, setting):
        monkeypatch.setattr(module, "is_processor", lambda device: False)


def list_schedules(monkeypatch) -> list[str]:
    """Returns a list that gets the schedule of each program that the engine compiles."""
    followed, compile_program = [], engine.compile_program

    def noting(*given):
        followed.append(given[-1])
        return compile_program(*given)

    monkeypatch.setattr(engine, "compile_program", noting)
    return followed


def hparams(alpha=1.0, rate=1e-3, dropout=0.1, patience=10):
    return HParams(
        loss_weights=np.array([alpha, 1, 1], np.float32),
        acoustic_dropout=np.float32(dropout),
        learning_rate=np.float32(rate),
        patience=np.int32(patience),
    )


def compiled(lanes, config=CONFIG, devices=None):
    devices = devices or jax.local_devices()[:1]
    run = make_run(config, DATASET.words, DATASET.embedding_dim)
    return compile_program(run, send(DATASET.data, devices), lanes, devices)


def train(runs, program, config=CONFIG, **options):
    items = [(f"{spec.name} {spec.seed}", spec) for spec in runs]
    outcomes = train_runs(DATASET, config, items, program=program, **options)
    return {outcome.spec.name: outcome for _, outcome in outcomes}


def assert_same(one, other, names, exactly=True):
    for name in names:
        for a, b in zip(
            jax.tree.leaves(one[name].result), jax.tree.leaves(other[name].result), strict=True
        ):
            if exactly:
                np.testing.assert_array_equal(a, b)
            else:
                np.testing.assert_allclose(a, b, atol=2e-5)
