import threading

import pytest

from dser_jax.system import make_later


def test_calling_waits_for_what_is_made_one_after_the_other():
    gates, order = [threading.Event() for _ in range(2)], []

    def make(number):
        def maker():
            assert gates[number].wait(60)
            order.append(number)
            return lambda a, b: a + b + number

        return maker

    one, other = make_later([make(0), make(1)])
    gates[1].set()
    timer = threading.Timer(0.1, gates[0].set)
    timer.start()
    assert other(1, 2) == 4
    assert order == [0, 1]
    assert one(1, 2) == 3
    one.wait()


def test_an_error_in_the_making_comes_with_every_call_and_ends_no_other():
    def broken():
        raise MemoryError("no room")

    one, other = make_later([broken, lambda: len])
    for call in (one, one.wait):
        with pytest.raises(MemoryError, match="no room"):
            call()
    assert other("four") == 4
