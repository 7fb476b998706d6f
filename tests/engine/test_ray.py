"""Runs on a Ray cluster of two nodes of this machine, whose workers die, hang, or are killed."""

import contextlib
import importlib.util
import math
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny import DENSE, make_dataset

from dser_jax.engine.lanes import train_runs
from dser_jax.engine.progress import Tick
from dser_jax.engine.ray.cluster import Place, cluster, cluster_devices, places_on
from dser_jax.engine.ray.crew import train_on_ray
from dser_jax.engine.ray.handout import Handout
from dser_jax.engine.ray.hiring import Hired, Hiring
from dser_jax.engine.ray.worker import Worker
from dser_jax.engine.terms import Hooks
from dser_jax.plan.runs import Outcome, RunSpec
from dser_jax.system.background import NotMade
from dser_jax.system.errors import DserError
from dser_jax.system.signals import Interrupted
from dser_jax.training.hparams import HParams
from dser_jax.training.run import Result
from dser_jax.training.state import History

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed", allow_module_level=True)

DATASET = make_dataset()
LANES = 4


def make_items(count=12):
    """Makes runs whose patience spreads their ends."""
    return [
        (f"run{i}", RunSpec(f"row{i}", HParams(patience=np.int32(1 + i % 3)), i))
        for i in range(count)
    ]


@pytest.fixture(scope="module", autouse=True)
def settings_of_ray():
    """What Ray reads when it is imported: to be on 127.0.0.1, for those who know a secret."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield


# What waits, and who has it: no Ray.


@pytest.mark.parametrize("seed", range(60))
def test_the_handout_gives_each_run_until_it_has_ended_or_failed_alone(seed):
    chance = random.Random(seed)
    runs = [f"run{i}" for i in range(chance.randint(1, 40))]
    poison = set(chance.sample(runs, min(chance.randint(0, 3), len(runs))))
    where = {w: f"place{w % chance.randint(1, 4)}" for w in range(chance.randint(1, 5))}
    lanes, retries = chance.choice([1, 2, 4, 20]), chance.randint(0, 3)
    handout, ended, failed, number = Handout(runs, retries), [], [], len(where)
    for _ in range(100_000):
        if not handout.left:
            break
        worker = chance.choice(list(where))
        hand = handout.hand(worker)
        if not hand:
            handout.give(worker, where[worker], lanes, where)
        elif poison & set(hand):  # Its worker dies, or notices, or fails for another reason.
            what = chance.choice(["dies", "dies", "notices", "resigns"])
            if what == "resigns":
                handout.take_back(worker)
            else:
                guilty = min(poison & set(hand)) if what == "notices" else None
                failed += filter(None, [handout.lost(worker, where[worker], guilty)])
            where[number] = where.pop(worker)
            number += 1
        else:
            run = chance.choice(hand)
            assert handout.ended(worker, run)
            assert not handout.ended(worker, run)
            ended.append(run)
            handout.give(worker, where[worker], lanes, where)
        hands = [run for worker in where for run in handout.hand(worker)]
        assert len(hands) == len(set(hands))
    assert sorted(failed) == sorted(poison)
    assert sorted(ended) == sorted(set(runs) - poison)


def test_a_run_is_tried_again_elsewhere():
    handout, where = Handout(["a"], retries=2), {0: "here", 1: "there"}
    assert handout.give(0, "here", 1, where) == ["a"]
    assert handout.lost(0, "here") is None
    where = {1: "there", 2: "here"}
    assert handout.give(2, "here", 1, where) == []
    assert handout.give(1, "there", 1, where) == ["a"]
    assert handout.lost(1, "there") is None
    assert handout.give(2, "here", 1, {2: "here"}) == ["a"]
    assert handout.lost(2, "here") == "a"
    assert not handout.left


def test_workers_share_what_is_left():
    handout, where = Handout([str(i) for i in range(10)], retries=2), {0: "here", 1: "there"}
    assert len(handout.give(0, "here", 20, where)) == 5
    assert len(handout.give(1, "there", 20, where)) == 5


def made_up(seed):
    """A result that tells which run it is of, without training."""
    one = np.full(2, seed, np.float32)
    history = History(one, one, np.ones((2, 3), np.float32))
    pred = np.full((3, 3), seed, np.float32)
    return Result(pred, pred, history, np.int32(2), np.int32(1), np.bool_(False))


def pretend(dataset, config, runs, *, hooks, **_):
    """Trains nothing, as fast as it can."""
    for done, (run, spec) in enumerate(runs):
        hooks.progress(Tick(1, 1, done + 1, done + 1, math.nan))
        yield run, Outcome(spec, made_up(spec.seed))


def begun(train):
    worker = Worker()
    worker.begin(DATASET, DENSE, None, False, train, 10, None, False)
    return worker


def told(worker, items=()):
    """Asks a worker until it has been silent for a while."""
    reports = [worker.exchange(items, 0.3)]
    while reports[-1].ended or reports[-1].notices:
        reports.append(worker.exchange((), 0.3))
    return reports


def test_a_worker_goes_on_with_what_comes_later_in_the_same_engine():
    engines = []

    def counted(*arguments, **options):
        engines.append(options)
        yield from pretend(*arguments, **options)

    worker, items = begun(counted), make_items()
    assert told(worker)[-1].ready
    for some in (items[:5], items[5:6], items[6:]):
        ended = [pair for report in told(worker, some) for pair in report.ended]
        assert [run for run, _ in ended] == [run for run, _ in some]
    assert len(engines) == 1
    assert engines[0]["count"] == 10


def test_a_worker_begins_an_engine_anew_with_the_lanes_that_fitted():
    engines = []

    def gives_up(dataset, config, runs, *, at_most, hooks, **_):
        engines.append(at_most)
        hooks.shrunk(3)
        hooks.progress(Tick(1, 1, 5, 6, math.nan))
        run, spec = next(runs)
        yield run, Outcome(spec, made_up(0))

    worker = begun(gives_up)
    reports = told(worker, make_items(4))
    assert engines[:4] == [None, 3, 3, 3]
    ticks = [report.tick for report in reports if report.tick]
    assert ticks[-1][2:4] == (25, 30)  # The fifth has begun already.
    assert {report.shrunk for report in reports} - {None} == {3}


def test_a_worker_tells_why_it_trains_no_more():
    def fails(*_, **__):
        raise ValueError("no such layer")
        yield

    def refuses(*_, **__):
        raise DserError("one lane does not fit")
        yield

    def passes(*_, **__):
        raise NotMade("cannot compile a program: ptxas exited with code 2")
        yield

    for train, said in ((fails, "ValueError: no such layer"), (passes, "code 2")):
        report = told(begun(train))[-1]
        assert said in report.error
        assert "Traceback" in report.error
        assert not report.refused  # It may go well another time.
    report = told(begun(refuses))[-1]
    assert report.error == "one lane does not fit"
    assert report.refused


def test_where_there_is_room():
    def node(name, alive=True, **resources):
        return {
            "NodeID": name,
            "Alive": alive,
            "Resources": resources,
            "NodeManagerHostname": f"host-{name}",
        }

    nodes = [node("a", CPU=4.0), node("b", CPU=64.0), node("c", alive=False, CPU=1), node("d")]
    assert [place.node for place in places_on(nodes).values()] == ["a", "b"]
    nodes += [node("e", CPU=1.0, GPU=2.0, **{"accelerator_type:H100": 1.0})]
    places = places_on(nodes)
    assert [(p.node, p.kind, p.gpu) for p in places.values()] == [("e", "H100", True)] * 2


def test_a_place_loses_three_workers_in_a_row():
    said = []
    hiring = Hiring(said.append)
    worker = Hired(1, "a 0", Place("a", "host-a", "cpu", False), None, None, 0.0)
    assert [hiring.lost(worker) for _ in range(2)] == [False, False]
    hiring.proved(worker)
    assert [hiring.lost(worker, strikes) for strikes in (1, 0, 1, 0, 1)] == [*[False] * 4, True]
    assert hiring.left_out == {}
    hiring.leave_out(worker, "enough")
    assert hiring.left_out == {"a 0": "host-a: enough"}
    assert said == ["host-a is left out: enough"]


# Errors before there is a cluster.


@pytest.mark.parametrize("address", ["somewhere", "ray://127.0.0.1:1", "127.0.0.1:"])
def test_an_address_that_is_none(address):
    with pytest.raises(DserError, match="expected local, auto or HOST:PORT"):
        list(train_on_ray(DATASET, DENSE, make_items(), address=address))


def test_nothing_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DserError, match="nothing listens there"):
            list(train_on_ray(DATASET, DENSE, make_items(), address=address))


def test_ray_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DserError, match=r'pip install "dser_jax\[ray\]"'):
        list(train_on_ray(DATASET, DENSE, make_items(), address="local"))


def test_nothing_to_train():
    assert list(train_on_ray(DATASET, DENSE, [], address="local")) == []


# A cluster of this machine.

LOCAL = """
import test_ray as t
from dser_jax.engine.ray.crew import cluster, train_on_ray

with cluster("local"):
    import ray
    ray.cloudpickle.register_pickle_by_value(t)
    items = t.make_items()
    outcomes = train_on_ray(t.DATASET, t.DENSE, items, address="local", train=t.pretend)
    print(sorted(outcome.spec.seed for _, outcome in outcomes))
    print([node["NodeManagerAddress"] for node in ray.nodes()])
"""


def test_a_cluster_that_ends_with_the_sweep(tmp_path):
    unset = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"}
    env = {name: value for name, value in os.environ.items() if name not in unset}
    here = Path(__file__).parent
    tests = os.pathsep.join([os.fspath(here), os.fspath(here.parent)])
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", LOCAL],
        env=env | {"HOME": os.fspath(tmp_path), "PYTHONPATH": tests},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as driver:
        out, err = driver.communicate(timeout=120)
    assert out.splitlines() == [str(list(range(12))), "['127.0.0.1']"], err
    assert not (tmp_path / ".ray").exists()
    end = time.monotonic() + 20
    while processes(driver.pid):
        assert time.monotonic() < end
        time.sleep(0.1)


# A cluster of two nodes.

START = """\
from ray._private import services
services.get_node_ip_address = lambda *_: "127.0.0.1"
from ray.scripts.scripts import main
main()
"""


class Nodes:
    """Nodes on this machine, each a `ray start --block` with processes of its own session."""

    def __init__(self, folder):
        self.folder, self.started = folder, []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def start(self):
        where = (
            ["--address", self.address]
            if self.started
            else ["--head", "--port", self.address[10:], "--include-dashboard=false"]
        )
        options = ["--num-cpus=1", "--include-log-monitor=false", "--disable-usage-stats"]
        if not self.started:
            options.append(f"--temp-dir={self.folder}")
        log = open(self.folder / f"node{len(self.started)}.log", "wb")  # noqa: SIM115
        with log:
            self.started.append(
                subprocess.Popen(
                    [sys.executable, "-c", START, "start", *where, *options, "--block"],
                    env=os.environ | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        return Path(log.name), self.started[-1]

    def wait(self, log, node):
        end = time.monotonic() + 90
        while b"runtime started" not in log.read_bytes():
            assert node.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)

    def kill(self, node):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()


def processes(session):
    """Lists the processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # Sockets need a short path.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("programs")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        nodes = Nodes(folder)
        try:
            nodes.wait(*nodes.start())
            nodes.wait(*nodes.start())
            with cluster(nodes.address):
                import ray

                ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
                yield nodes
        finally:
            for node in nodes.started:
                nodes.kill(node)
            end = time.monotonic() + 20
            while left := [pid for node in nodes.started for pid in processes(node.pid)]:
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                assert time.monotonic() < end, left
            shutil.rmtree(folder, ignore_errors=True)


def on_ray(nodes, items, **options):
    """Trains on the cluster; returns outcomes and notices, and asserts that each comes once."""
    notices, found = [], {}
    hooks = options.pop("hooks", Hooks())._replace(notice=notices.append)
    consumer = options.pop("consumer", lambda run: None)
    address = nodes.address
    outcomes = train_on_ray(DATASET, DENSE, items, address=address, hooks=hooks, **options)
    with contextlib.closing(outcomes):
        for run, outcome in outcomes:
            assert run not in found
            found[run] = outcome
            consumer(run)
    return found, notices


def watched(folder, train, seconds=0.0, together=1):
    """Makes an engine leave a file for its process, wait for others that train, and be slow.

    It waits until there were `together` processes, or as many as a file "together N" says.
    """

    def slowly(*arguments, hooks, **options):
        def progress(tick):
            (folder / str(os.getpid())).touch()
            end = time.monotonic() + 60
            while time.monotonic() < end:
                files = [path.name for path in folder.iterdir()]
                wanted = max([together, *(int(name[9:]) for name in files if "together" in name)])
                if sum(name.isdecimal() for name in files) >= wanted:
                    break
                time.sleep(0.05)
            time.sleep(seconds)
            hooks.progress(tick)

        yield from train(*arguments, hooks=hooks._replace(progress=progress), **options)

    return slowly


def workers_in(folder):
    return [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]


def wait_for_death(pids):
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/stat").exists() and not is_zombie(pid) for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.1)


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def assert_same(one, other):
    assert one.keys() == other.keys()
    for run, outcome in one.items():
        assert other[run].spec.name == outcome.spec.name
        jax.tree.map(np.testing.assert_array_equal, outcome.result, other[run].result)


@pytest.fixture(scope="module")
def at_home(nodes):
    """What training without Ray gives."""
    return dict(train_runs(DATASET, DENSE, make_items(), lanes=LANES))


def test_two_workers_give_what_training_at_home_does(nodes, at_home, tmp_path):
    ticks = []
    train = watched(tmp_path, train_runs, together=2)
    hooks = Hooks(progress=ticks.append)
    found, notices = on_ray(nodes, make_items(), lanes=LANES, train=train, hooks=hooks)
    assert_same(at_home, found)
    assert notices == []
    assert len(workers_in(tmp_path)) == 2
    assert cluster_devices() == "2 x cpu on 2 nodes (ray)"
    assert max(tick.lanes for tick in ticks) == 2 * LANES
    epochs = [int(outcome.result.epochs) for outcome in found.values()]
    assert 0 < ticks[-1].epochs <= sum(epochs)  # What is told with the last run comes too late.
    assert ticks[-1].epochs <= ticks[-1].lane_epochs
    assert ticks[-1].done_epochs <= DENSE.max_epochs
    wait_for_death(workers_in(tmp_path))


def test_fault_18_runs_of_a_worker_that_dies_are_trained_elsewhere(nodes, at_home, tmp_path):
    killed = []

    def kill_one(run):
        if not killed:
            killed.append(workers_in(tmp_path)[0])
            os.kill(killed[0], signal.SIGKILL)

    train = watched(tmp_path, train_runs, 0.3, together=2)
    found, notices = on_ray(nodes, make_items(), lanes=LANES, train=train, consumer=kill_one)
    assert_same(at_home, found)
    assert any(f"process {killed[0]}: lost" in notice for notice in notices)
    assert not any("failed" in notice for notice in notices)


def hang_once(folder, seed):
    """Makes an engine that hangs at a run, the first time."""

    def hang(dataset, config, runs, **options):
        (folder / f"pid{os.getpid()}").touch()
        for run, outcome in pretend(dataset, config, runs, **options):
            if outcome.spec.seed == seed and not (folder / "hung").exists():
                (folder / "hung").touch()
                time.sleep(1000)
            yield run, outcome

    return hang


def test_fault_18_a_worker_that_hangs_is_killed_and_its_runs_trained_elsewhere(nodes, tmp_path):
    items = make_items(20)
    train = hang_once(tmp_path, 7)
    found, notices = on_ray(nodes, items, train=train, silence_seconds=3)
    assert sorted(found) == sorted(run for run, _ in items)
    assert all(o.result.test_pred[0, 0] == o.spec.seed for o in found.values())
    assert len([notice for notice in notices if "it told nothing for 3 s" in notice]) == 1
    wait_for_death([int(path.name[3:]) for path in tmp_path.glob("pid*")])


def poisoned(seed):
    """Makes an engine whose process dies of a run, once it trains four."""

    def die(dataset, config, runs, **options):
        for run, outcome in pretend(dataset, config, runs, **options):
            if outcome.spec.seed == seed:
                os._exit(1)
            yield run, outcome

    return die


def test_fault_19_a_run_that_kills_its_workers_is_found_and_the_others_finish(nodes):
    items = make_items(20)
    found, notices = on_ray(nodes, items, train=poisoned(3), retries=1)
    assert sorted(found) == sorted(run for run, _ in items)
    assert found["run3"].result is None
    assert "The actor died" in found["run3"].traceback
    assert all(o.result is not None for run, o in found.items() if run != "run3")
    assert next(n for n in notices if "failed" in n).startswith("'row3', seed 3: failed: ")


def failing(seed):
    """Makes an engine that finds that a run fails."""

    def fail(dataset, config, runs, **options):
        for run, outcome in pretend(dataset, config, runs, **options):
            if outcome.spec.seed == seed:
                outcome = Outcome(outcome.spec, None, traceback=f"no luck in {os.getpid()}")
            yield run, outcome

    return fail


def test_fault_18_a_run_that_fails_is_tried_elsewhere_before_it_is_given_up(nodes):
    found, notices = on_ray(nodes, make_items(4), train=failing(2), retries=1)
    assert sorted(found) == ["run0", "run1", "run2", "run3"]
    assert [run for run, outcome in found.items() if outcome.result is None] == ["run2"]
    assert "no luck in" in found["run2"].traceback
    assert sum("lost (no luck" in notice for notice in notices) == 1


def test_a_worker_of_another_version_is_left_out(nodes, monkeypatch):
    monkeypatch.setattr("dser_jax.engine.ray.worker.__version__", "9.9")
    with pytest.raises(DserError, match=r"it has dser_jax .*, and here is dser_jax 9\.9"):
        on_ray(nodes, make_items(), train=pretend)


def test_what_no_worker_can_train_is_raised(nodes):
    def refuses(*_, **__):
        raise DserError("one lane does not fit")
        yield

    with pytest.raises(DserError, match="one lane does not fit"):
        on_ray(nodes, make_items(), train=refuses)


def test_a_signal_ends_the_workers(nodes, tmp_path):
    caught = []
    consumer = lambda run: caught.append("SIGTERM")  # noqa: E731
    hooks = Hooks(stop=lambda: caught[0] if caught else None)
    train = watched(tmp_path, pretend, 0.5)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGTERM"):
        on_ray(nodes, make_items(50), train=train, hooks=hooks, consumer=consumer)
    wait_for_death(workers_in(tmp_path))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_node_that_dies_is_replaced_by_one_that_joins(nodes, tmp_path):
    replaced = []

    def replace(run):
        if not replaced:
            nodes.kill(nodes.started[1])
            replaced.append(threading.Thread(target=lambda: nodes.wait(*nodes.start())))
            replaced[0].start()
            (tmp_path / "together 3").touch()

    train = watched(tmp_path, pretend, 0.1, together=2)
    found, notices = on_ray(nodes, make_items(40), train=train, consumer=replace)
    replaced[0].join()
    assert len(found) == 40
    assert all(outcome.result is not None for outcome in found.values())
    assert any(": lost" in notice for notice in notices)
    assert len(workers_in(tmp_path)) == 3
