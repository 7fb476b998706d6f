import os
import sys
import threading

import pytest

from dser_jax.system import Beside, NotMade, make_later
from dser_jax.system.interrupt import LAST


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
        with pytest.raises(NotMade, match="cannot compile a program: no room") as caught:
            call()
        assert isinstance(caught.value.__cause__, MemoryError)
    assert other("four") == 4


SLEEPING = (sys.executable, "-c", "import time; time.sleep(600)")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_child_reads_what_it_is_given_and_ends_well_or_not(tmp_path):
    path = tmp_path / "said"
    copy = "import os, sys; open(sys.argv[1], 'w').write(os.environ['TOLD'] + sys.stdin.read())"
    child = Beside()
    assert not child.wait(0)
    child.begin((sys.executable, "-c", copy, str(path)), "four", {"TOLD": "two and "})
    child.begin(SLEEPING, "", {})  # One at a time.
    assert child.wait(60)
    assert path.read_text() == "two and four"
    child.begin((sys.executable, "-c", "raise SystemExit(3)"), "", {})
    assert not child.wait(60)
    child.begin((str(tmp_path / "no such file"),), "", {})
    assert not child.wait(60)
    child.close()


@pytest.mark.skipif(os.name == "nt", reason="asks for processes as POSIX does")
def test_a_child_that_takes_too_long_or_is_not_wanted_any_more_is_ended():
    before = list(LAST)
    for end in (lambda child: child.wait(0.1), Beside.close):
        child = Beside()
        child.begin(SLEEPING, "", {})
        pid = child._child.pid
        assert len(LAST) == len(before) + 1  # Who ends at once ends it, too.
        assert not gone(pid)
        assert not end(child)
        assert gone(pid)
        assert before == LAST
