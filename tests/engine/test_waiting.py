"""Which run is trained next."""

from dser_jax.engine.waiting import Waiting
from dser_jax.plan.runs import RunSpec
from dser_jax.training.run import HParams


def items(names):
    return [(name, RunSpec(name, HParams(), 0)) for name in names]


def taken(waiting, *, busy):
    item = waiting.take(busy=busy)
    return None if item is None else item[0]


def test_runs_come_in_order_and_those_put_back_first():
    waiting = Waiting(items("abc"))
    assert waiting.known == {"a", "b", "c"}
    assert [taken(waiting, busy=False) for _ in range(2)] == ["a", "b"]
    waiting.put_back(items("ab"))
    assert [taken(waiting, busy=True) for _ in range(4)] == ["a", "b", "c", None]


def test_suspects_are_halved_and_trained_apart():
    waiting = Waiting(iter(items("xy")))
    assert waiting.known is None
    waiting.suspect(items("abc"))
    assert taken(waiting, busy=False) == "a"
    assert taken(waiting, busy=True) is None  # While it is under way, nobody joins it.
    assert taken(waiting, busy=False) == "b"
    assert taken(waiting, busy=True) == "c"
    waiting.suspect(items("bc"))
    assert taken(waiting, busy=False) == "b"
    assert taken(waiting, busy=True) is None
    assert taken(waiting, busy=False) == "c"
    assert [taken(waiting, busy=False) for _ in range(3)] == ["x", "y", None]


def test_runs_that_ran_out_of_memory_stay_apart_if_they_were():
    waiting = Waiting(items("x"))
    waiting.suspect(items("ab"))
    assert taken(waiting, busy=False) == "a"
    waiting.put_back(items("a"))
    assert taken(waiting, busy=False) == "a"
    assert taken(waiting, busy=True) is None
