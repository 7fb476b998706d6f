"""When a run may end."""

import numpy as np
import pytest

from dser_jax.engine.terms import Hooks, Judge, Terms


@pytest.mark.parametrize(
    ("rungs", "epochs", "patience", "certain"),
    [
        ((), [0, 0], [5, 9], 5),
        ((), [28, 4], [9, 9], 2),  # The last of 30 epochs is near.
        ((3, 9), [0, 4], [9, 9], 3),
        ((3, 9), [3, 7], [9, 9], 2),  # At a rung it was asked already.
        ((3, 9), [9, 10], [9, 9], 9),
    ],
)
def test_no_run_ends_or_is_judged_within_the_epochs_that_are_certain(
    rungs, epochs, patience, certain
):
    judge = Judge(rungs, lambda *_: True) if rungs else None
    terms = Terms(30, False, judge, Hooks())
    assert terms.certain(np.array(epochs), np.array(patience)) == certain


def test_the_judge_is_asked_at_its_rungs():
    asked = []
    judge = Judge((2, 4), lambda *question: asked.append(question) or False)
    terms, ccc = Terms(30, False, judge, Hooks()), np.zeros(3, np.float32)
    assert terms.may_go_on("a", 3, ccc)
    assert not terms.may_go_on("a", 4, ccc)
    assert asked == [("a", 4, ccc)]
    assert terms._replace(judge=None).may_go_on("a", 4, ccc)
