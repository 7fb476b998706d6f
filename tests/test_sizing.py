import numpy as np
import pytest
from tiny import CONFIG, make_dataset

from dser_jax.config import Config
from dser_jax.dataset import Data
from dser_jax.sizing import default_lanes, free_bytes, lane_bytes
from dser_jax.sweep import _fitting_lanes, make_program

MB, GB = 2**20, 2**30


def paper_data(rows=1000):
    return Data(
        np.zeros((rows, 1, 46), np.float32),
        np.zeros((rows, 100), np.int32),
        np.zeros((rows, 3), np.float32),
        np.ones((rows, 3), bool),
        np.arange(640, dtype=np.int32),
        np.arange(640, 800, dtype=np.int32),
        np.arange(800, rows, dtype=np.int32),
        None,
    )


@pytest.mark.parametrize(("batch", "measured"), [(8, 235 * MB), (256, 1630 * MB)])
def test_estimate_is_near_what_xla_reports_at_the_papers_widths(batch, measured):
    estimate = lane_bytes(Config(batch_size=batch), paper_data(), 44 * MB)
    assert 0.75 * measured < estimate < 1.5 * measured


def test_lanes_are_bounded_by_runs_and_memory():
    assert default_lanes(60, 1 * GB, None) == 20
    assert default_lanes(3, 1 * GB, 100 * GB) == 3
    assert default_lanes(60, 1 * GB, 10 * GB) == 7
    assert default_lanes(60, 10 * GB, 1 * GB) == 1


def test_small_programs_get_all_lanes():
    dataset = make_dataset()
    program = make_program(CONFIG, dataset.words, dataset.embedding_dim)
    assert _fitting_lanes(program, CONFIG, dataset, 60) == 20
    assert free_bytes() > 1 * GB
