"""Fault 2: a signal is answered at once, even while the main thread is deep in XLA."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dser_jax.system.signals import (
    ECHO_SECONDS,
    EXIT_INTERRUPTED,
    Interrupted,
    Signals,
    nothing_to_lose,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals cannot be sent on Windows")

WORK = """
import time
from dser_jax.system.signals import EXIT_INTERRUPTED, Interrupted, Signals, nothing_to_lose

def idle():
    with nothing_to_lose():
        xla()

def xla():
    import jax
    step = jax.jit(lambda x: jax.lax.while_loop(lambda x: x > 0, lambda x: x * 0.5 + 0.5, x))
    step.lower(1.0).compile()
    print("started", flush=True)
    step(1.0).block_until_ready()  # for ever, and never in Python

def steps():
    print("started", flush=True)
    while not signals.caught:
        time.sleep(0.01)
    time.sleep(0.3)  # saves

try:
    with Signals() as signals:
        {work}()
        raise Interrupted(signals.caught)
except KeyboardInterrupt as interrupt:
    print(interrupt)
    raise SystemExit(EXIT_INTERRUPTED)
"""


class Worker:
    """A process that works, and whose lines are read with the time at which they came."""

    def __init__(self, work: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORK.format(work=work)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout.readline() == "started\n"

    def send(self, number: int) -> None:
        self.sent = time.monotonic()
        self.process.send_signal(number)

    def told(self) -> tuple[str, float]:
        """Returns the next line on stderr, and the seconds since the last signal."""
        return self.process.stderr.readline(), time.monotonic() - self.sent

    def ended(self) -> tuple[int, float]:
        code = self.process.wait(10)
        return code, time.monotonic() - self.sent

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def start():
    workers = []

    def make(work: str) -> Worker:
        workers.append(Worker(work))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGINT"])
def test_fault_2_the_first_signal_is_answered_and_the_second_one_ends(start, name):
    """The main thread is blocked in compiled code the whole time."""
    number = getattr(signal, name)
    worker = start("xla")
    worker.send(number)
    line, seconds = worker.told()
    assert line == f"{name}: finishing the step and saving; once more ends at once\n"
    assert seconds < 1
    time.sleep(2 * ECHO_SECONDS)
    assert worker.process.poll() is None
    worker.send(number)
    code, seconds = worker.ended()
    assert code == 128 + number
    assert seconds < 1
    kept = "finished runs and the last save of those under way are kept"
    assert worker.process.stderr.read() == f"{name}: stopped at once; {kept}\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_fault_2_where_nothing_is_lost_the_first_signal_ends(start, name):
    worker = start("idle")
    worker.send(getattr(signal, name))
    code, seconds = worker.ended()
    assert code == EXIT_INTERRUPTED
    assert seconds < 1
    kept = "finished runs are kept, and the same command goes on"
    assert worker.process.stderr.read() == f"dser: stopped by {name}; {kept}\n"


def test_what_was_told_before_is_heard_where_nothing_is_lost():
    with Signals():
        with nothing_to_lose(), nothing_to_lose():
            pass
        signal.raise_signal(signal.SIGUSR1)
        kept = "stopped by SIGUSR1; finished runs are kept"
        with pytest.raises(Interrupted, match=kept), nothing_to_lose():
            pytest.fail("it began")
    with nothing_to_lose():
        pass


def test_fault_2_after_saving_the_code_is_one_of_its_own(start):
    worker = start("steps")
    worker.send(signal.SIGTERM)
    out, _ = worker.process.communicate(timeout=10)
    assert worker.process.returncode == EXIT_INTERRUPTED
    assert out == "stopped by SIGTERM; everything is saved, and the same command goes on\n"


def test_fault_2_nobody_reads_stderr_any_more(start):
    """As after a Ctrl-C, which ends the `tee` of a pipeline, too."""
    worker = start("steps")
    worker.process.stderr.close()
    worker.send(signal.SIGINT)
    assert worker.process.wait(10) == EXIT_INTERRUPTED


EXTRACTION = """
import time
from dser_jax.system.interrupt import deferred_interrupt
with deferred_interrupt() as interrupted:
    print("started", flush=True)
    while not interrupted():
        time.sleep(0.01)
    print("noted", flush=True)
    time.sleep(60)
"""


def test_a_second_ctrl_c_in_an_extraction_says_what_is_kept():
    with subprocess.Popen(
        [sys.executable, "-c", EXTRACTION],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in ("started\n", "noted\n"):
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == "stopped at once; what was extracted is kept\n"


def test_fault_2_an_echo_is_no_second_signal(start):
    """`timeout` sends its signal to the process and to the group of the process."""
    worker = start("steps")
    worker.send(signal.SIGTERM)
    worker.told()
    worker.send(signal.SIGTERM)
    assert worker.ended()[0] == EXIT_INTERRUPTED


def test_a_signal_sent_here_is_known_at_once():
    with Signals() as signals:
        assert signals.caught is None
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        assert signals.caught == "SIGUSR1"


def test_what_was_before_is_restored():
    def handle(number, frame):
        pass

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        read, write = os.pipe()
        os.set_blocking(write, False)
        wakeup = signal.set_wakeup_fd(write)
        threads = threading.active_count()
        with Signals(), Signals() as inner:
            signal.raise_signal(signal.SIGTERM)
            assert inner.caught == "SIGTERM"
        assert threading.active_count() == threads
        assert signal.getsignal(signal.SIGUSR1) is handle
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.set_wakeup_fd(wakeup) == write
        os.close(read)
        os.close(write)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGINT)
            assert signals.caught is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_change_nothing():
    handlers = []

    def work():
        with Signals() as signals:
            handlers.extend([signal.getsignal(signal.SIGTERM), signals.caught])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.SIG_DFL, None]


def test_interrupted_is_a_keyboard_interrupt():
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert Interrupted("SIGUSR1").name == "SIGUSR1"
