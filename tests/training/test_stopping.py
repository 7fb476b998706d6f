"""The rule that ends a run early, epoch by epoch; against Keras in test_keras."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dser_jax.training import stopping
from dser_jax.training.state import Best, Weights, first_state

NAN, INF = np.nan, np.inf
FIRST = first_state(jax.random.key(0), Weights((), ()), (), (), validation_rows=1, max_epochs=5)


def follow(losses, patience, max_epochs=5):
    """Follows a run by its losses: returns its last epoch, its best, and whether it diverged."""
    best, wait = FIRST.best, FIRST.wait
    for number, loss in enumerate(losses, 1):
        latest = FIRST.best._replace(loss=jnp.float32(loss), epoch=jnp.int32(number))
        best, wait = stopping.keep_better(best, latest, wait)
        diverged = stopping.has_diverged(jnp.float32(0), latest.loss)
        if stopping.is_over(wait, np.int32(patience), latest.epoch, max_epochs, diverged):
            return number, int(best.epoch), bool(diverged)
    return None, int(best.epoch), False


@pytest.mark.parametrize(
    ("losses", "patience", "want"),
    [
        ([3, 2, 1], 1, (None, 3, False)),
        (
            [1, 2, 0],
            1,
            (2, 1, False),
        ),  # The first that is not better is the last.
        ([1, 2, 0, 3, 3], 2, (5, 3, False)),  # A better one starts the count anew.
        ([1, 1, 1, 0], 2, (3, 1, False)),  # As good is not better.
        ([5, 4, 3, 2, 1, 0], 9, (5, 5, False)),  # No more than 5 epochs.
        ([1, NAN, 0], 9, (2, 1, True)),
        ([1, INF, 0], 9, (2, 1, True)),
        ([NAN, 0], 9, (1, 0, True)),  # No epoch was ever good.
    ],
)
def test_a_run_ends_when_it_waited_too_long_or_diverged(losses, patience, want):
    assert follow(losses, patience) == want


@pytest.mark.parametrize("loss", [NAN, INF, -INF])
def test_either_loss_tells_of_divergence(loss):
    finite, bad = jnp.float32(1), jnp.float32(loss)
    assert stopping.has_diverged(bad, finite)
    assert stopping.has_diverged(finite, bad)
    assert not stopping.has_diverged(finite, finite)


def test_the_best_weights_are_kept_whole():
    one, other = (
        Best(Weights({"w": jnp.full(2, v)}, {}), jnp.float32(v), jnp.int32(v), jnp.full((1, 3), v))
        for v in (1.0, 2.0)
    )
    wait = jnp.int32(4)
    kept, waited = stopping.keep_better(other, one, wait)
    np.testing.assert_array_equal(kept.weights.params["w"], [1, 1])
    np.testing.assert_array_equal(kept.pred, [[1, 1, 1]])
    assert (float(kept.loss), int(kept.epoch), int(waited)) == (1, 1, 0)
    kept, waited = stopping.keep_better(one, other, wait)
    np.testing.assert_array_equal(kept.weights.params["w"], [1, 1])
    assert (float(kept.loss), int(kept.epoch), int(waited)) == (1, 1, 5)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_that_has_stopped_stays_as_it_was(stopped):
    before = FIRST._replace(stopped=jnp.bool_(stopped))
    after = FIRST._replace(epoch=jnp.int32(3), wait=jnp.int32(2))
    kept = stopping.unless_stopped(before, after)
    assert (int(kept.epoch), int(kept.wait)) == ((0, 0) if stopped else (3, 2))
