"""Lanes in flight on disk, and what must not happen to them."""

import contextlib
import dataclasses
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import CONFIG, WORDS, make_dataset

from dser_jax.engine import snapshot
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.system.errors import DserError
from dser_jax.training.hparams import HParams
from dser_jax.training.run import make_run

ROOT = Path(__file__).parents[2]


class Nested(NamedTuple):
    table: object
    flag: object


class State(NamedTuple):
    """One leaf of every kind that a state may have, and some more."""

    key: object
    step: object
    params: dict
    nested: Nested
    empty: object
    nothing: tuple


def make_state(step) -> State:
    """Makes the state of a lane of which all leaves follow from a number."""
    step = jnp.asarray(step, jnp.uint32)
    real = step.astype(jnp.float32)
    return State(
        key=jax.random.split(jax.random.key(step)),
        step=step.astype(jnp.int32),
        params={
            "dense": {"kernel": jnp.full((3, 2), real), "bias": real.astype(jnp.bfloat16)},
            "odd": jnp.stack([jnp.nan * real, -jnp.inf * real, -0.0 * real, real]),
        },
        nested=Nested(jnp.full((2, 5), step.astype(jnp.uint8)), step > 2),
        empty=jnp.zeros((0, 4)),
        nothing=(None, {}),
    )


LIKE = jax.eval_shape(make_state, 0)


def lanes_of(*steps: int) -> State:
    return jax.vmap(make_state)(jnp.asarray(steps))


def is_key(leaf) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def same(one, other) -> bool:
    """Returns whether two states are equal to the bit, of the same types and the same structure."""

    def bits(leaf):
        array = np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
        return str(leaf.dtype), array.shape, array.tobytes()

    assert jax.tree.structure(one) == jax.tree.structure(other)
    return [*map(bits, jax.tree.leaves(one))] == [*map(bits, jax.tree.leaves(other))]


def lane(state, slot: int):
    return jax.tree.map(lambda x: x[slot] if is_key(x) else np.asarray(x)[slot, ...], state)


def stack(*lanes):
    return jax.tree.map(lambda *x: jnp.stack(x) if is_key(x[0]) else np.stack(x), *lanes)


@pytest.fixture
def said():
    return []


@pytest.fixture
def checkpoints(tmp_path, said):
    return Checkpoints(tmp_path / "lanes", said.append)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "lanes").iterdir())


def test_lanes_come_back_to_the_bit(checkpoints, said):
    assert checkpoints.load(LIKE) is None
    note = {"count": 3, "rate": 0.1, "list": [1, None], "word": "é"}
    checkpoints.save(lanes_of(7, 1, 300), {0: "a", 1: "b", 2: "c"}, note=note, wait=True)
    found = checkpoints.load(LIKE)
    assert found.note == note
    assert list(found.lanes) == ["a", "b", "c"]
    for step, lane in zip((7, 1, 300), found.lanes.values(), strict=True):
        assert same(lane, make_state(step))
    *arrays, key = [found.lanes["a"].step, found.lanes["a"].params["odd"], found.lanes["a"].key]
    assert {type(array) for array in arrays} == {np.ndarray}
    assert jax.random.key_impl(key) == jax.random.key_impl(make_state(7).key)
    assert said == []
    assert checkpoints.seconds > 0


def test_only_busy_lanes_and_parked_runs_are_saved(checkpoints):
    checkpoints.save(lanes_of(0, 1, 2, 3), {3: "three", 1: "one"}, wait=True)
    found = checkpoints.load(LIKE)
    assert {run: int(lane.step) for run, lane in found.lanes.items()} == {"three": 3, "one": 1}
    checkpoints.save(lanes_of(9), {0: "nine"}, parked=found.lanes, wait=True)
    found = checkpoints.load(LIKE)
    assert list(found.lanes) == ["nine", "three", "one"]
    assert all(same(found.lanes[run], make_state(n)) for run, n in [("nine", 9), ("one", 1)])
    checkpoints.save(lanes_of(9), {}, note={"left": 0}, wait=True)
    assert checkpoints.load(LIKE) == ({}, {"left": 0})


def test_the_state_may_be_given_away_at_once(checkpoints):
    advance = jax.jit(lambda s: jax.tree.map(lambda x: x + 1, s), donate_argnums=0)
    state = {"w": jnp.zeros((4, 500, 500))}
    like = {"w": jax.ShapeDtypeStruct((500, 500), jnp.float32)}
    for step in range(5):
        checkpoints.save(state, {0: "a", 3: "b"})
        before = state["w"]
        state = advance(state)
        assert before.is_deleted()
        state = advance(state)
        checkpoints.wait()
        for lane in checkpoints.load(like).lanes.values():
            assert (lane["w"] == 2 * step).all()


def test_a_run_taken_up_goes_on_as_if_nothing_had_been(checkpoints):
    data = make_dataset().data
    config = dataclasses.replace(CONFIG, acoustic="dense", text="dense")
    run = make_run(config, WORDS, config.embedding_dim)
    epoch = jax.jit(jax.vmap(run.epoch, in_axes=(None, 0, None)))
    keys = jax.vmap(jax.random.key)(jnp.arange(3, dtype=jnp.uint32))
    init = jax.jit(lambda keys: jax.lax.map(lambda key: run.init(key, data), keys))
    state = epoch(HParams(), init(keys), data)
    checkpoints.save(state, {0: "a", 2: "c"})
    straight = epoch(HParams(), state, data)

    like = jax.eval_shape(run.init, keys[0], data)
    found = checkpoints.load(like).lanes
    assert same(found["c"], lane(state, 2))
    # In other slots, beside others.
    on = epoch(HParams(), stack(found["c"], found["a"], found["a"]), data)
    assert same(lane(on, 0), lane(straight, 2))
    assert same(lane(on, 1), lane(straight, 0))


def test_the_last_two_are_kept(checkpoints, tmp_path):
    for step in range(4):
        checkpoints.save(lanes_of(step), {0: "a"})
    checkpoints.wait()
    assert names(tmp_path) == ["000003", "000004"]
    again = Checkpoints(tmp_path / "lanes", print)
    again.save(lanes_of(4), {0: "a"}, wait=True)
    assert names(tmp_path) == ["000004", "000005"]
    again.save(lanes_of(5), {0: "a"})
    again.clear()
    assert list(tmp_path.iterdir()) == []
    again.save(lanes_of(6), {0: "a"}, wait=True)
    assert int(again.load(LIKE).lanes["a"].step) == 6


ENDS = """
import sys
from pathlib import Path
import numpy as np
from dser_jax.engine.checkpoint import Checkpoints

checkpoints = Checkpoints(Path(sys.argv[1]), print)
for _ in range(3):
    checkpoints.save({"w": np.ones((2, 9))}, {0: "a"})
checkpoints.wait()
"""


def test_nothing_is_left_of_a_save_that_was_waited_for(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ENDS, tmp_path / "lanes"],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout + done.stderr == b""
    assert names(tmp_path) == ["000002", "000003"]


def test_what_cannot_be_noted_is_refused_before_anything_is_written(checkpoints, tmp_path):
    for note in ({"a": np.float32(1)}, {"a": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            checkpoints.save(lanes_of(1), {0: "a"}, note=note)
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match="same path"):
        checkpoints.save({"a/b": jnp.ones(1), "a": {"b": jnp.ones(1)}}, {0: "a"})


SAVES_FOR_EVER = """
import os, sys
from pathlib import Path
import numpy as np
from orbax.checkpoint import v1
from dser_jax.engine.checkpoint import Checkpoints

def save_for_ever(step):
    checkpoints = Checkpoints(Path(sys.argv[1]), print)
    print(os.getpid(), flush=True)
    while True:
        step += 1
        state = {str(n): np.full((4, 3000 * n), step) for n in range(1, 8)}
        checkpoints.save(state, {0: "a", 3: "b"}, note={"step": step})
        with open(sys.argv[2], "w") as file:  # The one before is whole by now.
            file.write(str(step - 1))

for line in sys.stdin:  # A fork does not import again.
    if (pid := os.fork()) == 0:
        save_for_ever(int(line))
    os.waitpid(pid, 0)
"""


def test_fault_01_a_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path, said):
    whole = tmp_path / "whole"
    like = {str(n): jax.ShapeDtypeStruct((3000 * n,), np.int64) for n in range(1, 8)}
    nursery = subprocess.Popen(
        [sys.executable, "-c", SAVES_FOR_EVER, tmp_path / "lanes", whole],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT), "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    moments = random.Random(0)
    step = 0
    with nursery:
        for _ in range(10):
            nursery.stdin.write(f"{step}\n")
            nursery.stdin.flush()
            pid = int(nursery.stdout.readline())
            time.sleep(moments.uniform(0.05, 0.6))
            os.kill(pid, signal.SIGKILL)
            promised = int(whole.read_text() or 0) if whole.exists() else 0
            checkpoints = Checkpoints(tmp_path / "lanes", said.append)
            assert all(name.isdecimal() for name in names(tmp_path))
            if (found := checkpoints.load(like)) is None:
                assert promised == 0
                continue
            assert found.note["step"] >= max(step, promised)
            step = found.note["step"]
            for lane in found.lanes.values():
                assert all((leaf == step).all() for leaf in lane.values())
        nursery.stdin.close()
    assert step > 0
    assert said, "no kill was in the middle of a save"
    assert all("half-written" in line for line in said), said


def test_fault_01_what_was_half_written_is_removed_and_said(tmp_path, checkpoints, said):
    checkpoints.save(lanes_of(1), {0: "a"}, wait=True)
    half = tmp_path / "lanes" / ".000002.77.part"
    shutil.copytree(tmp_path / "lanes" / "000001" / "arrays", half / "arrays.orbax-checkpoint-tmp")
    again = Checkpoints(tmp_path / "lanes", said.append)
    assert names(tmp_path) == ["000001"]
    assert said == [f"{half}: removed, half-written by an interrupted run"]
    assert list(again.load(LIKE).lanes) == ["a"]


@contextlib.contextmanager
def small_disk(folder: Path):
    """Puts a file system of 1 MB in a folder's place, where that is allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


BIG = {"w": jax.ShapeDtypeStruct((100_000,), jnp.float32)}


@pytest.mark.parametrize("foreseen", [True, False])
def test_fault_04_a_full_disk(tmp_path, said, monkeypatch, foreseen):
    with small_disk(tmp_path / "disk") as folder:
        checkpoints = Checkpoints(folder / "lanes", said.append)
        big = {"w": jnp.ones((3, 100_000))}
        checkpoints.save(big, {0: "a"}, wait=True)
        if not foreseen:  # As with a quota, or when somebody else fills it meanwhile.
            usage = shutil.disk_usage(tmp_path)
            monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
        checkpoints.save(big, {0: "a", 1: "b", 2: "c"})
        with pytest.raises(
            DserError, match=r"lanes: .*the disk is full: 1\.2 MB are needed"
        ) as error:
            checkpoints.wait()
        assert "000001, is intact" in str(error.value)
        assert (", 0.6 MB are free" in str(error.value)) == foreseen  # Not 80610.6.
        checkpoints.wait()  # Said once.
        assert names(folder) == ["000001"]
        assert list(checkpoints.load(BIG).lanes) == ["a"]
        checkpoints.save(big, {1: "b"}, wait=True)
        assert list(checkpoints.load(BIG).lanes) == ["b"]
    assert said == []


def test_fault_04_any_failure_leaves_nothing_behind(tmp_path, checkpoints, monkeypatch):
    def fail(folder, arrays):
        folder.mkdir()
        (folder / "half").write_text("half")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "save_tree", fail)
        checkpoints.save(lanes_of(1), {0: "a"})
        with pytest.raises(DserError, match=r"Input/output error; there was none before"):
            checkpoints.save(lanes_of(2), {0: "a"})
    assert names(tmp_path) == []
    checkpoints.save(lanes_of(3), {0: "a"}, wait=True)
    assert names(tmp_path) == ["000001"]


def test_fault_04_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DserError, match=r"file/lanes: cannot write: Not a directory"):
        Checkpoints(tmp_path / "file" / "lanes", print)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = random.Random(path.name).randrange(len(data) * 8)
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
def test_fault_05_damage_of_any_file_is_found(tmp_path, checkpoints, said, damage):
    checkpoints.save(lanes_of(1, 2), {0: "a"}, wait=True)
    checkpoints.save(lanes_of(1, 2), {1: "a"}, wait=True)
    whole = tmp_path / "whole"
    shutil.move(tmp_path / "lanes", whole)
    files = [path.relative_to(whole) for path in (whole / "000002").rglob("*") if path.is_file()]
    assert len(files) > 5
    for file in files:
        shutil.rmtree(tmp_path / "lanes", ignore_errors=True)
        shutil.copytree(whole, tmp_path / "lanes")
        if (whole / file).stat().st_size or damage is Path.unlink:
            damage(tmp_path / "lanes" / file)
            assert int(checkpoints.load(LIKE).lanes["a"].step) == 1, file
            assert names(tmp_path) == ["000001", "damaged-000002"]
            assert "000002: damaged, " in said[-1]
            assert "set aside as damaged-000002" in said[-1]
            assert file.name in said[-1]
        else:
            assert int(checkpoints.load(LIKE).lanes["a"].step) == 2


def test_fault_05_every_byte_of_the_manifest_counts(tmp_path, checkpoints, said):
    checkpoints.save(lanes_of(1), {0: "a"}, note={"number": 1.5}, wait=True)
    manifest = tmp_path / "lanes" / "000001" / "manifest.json"
    text = manifest.read_bytes()
    for place in random.Random(0).sample(range(len(text)), 300):
        damaged = bytearray(text)
        damaged[place] ^= 1 << place % 7
        manifest.write_bytes(damaged)
        assert checkpoints.load(LIKE) is None, damaged
        os.rename(tmp_path / "lanes" / "damaged-000001", manifest.parent)
    manifest.write_bytes(text)
    assert checkpoints.load(LIKE).note == {"number": 1.5}


def test_fault_05_two_damaged_ones_are_kept(tmp_path, checkpoints, said):
    for step in range(4):
        checkpoints.save(lanes_of(step), {0: "a"}, wait=True)
        truncate(tmp_path / "lanes" / f"{step + 1:06d}" / "manifest.json")
        assert checkpoints.load(LIKE) is None
    assert names(tmp_path) == ["damaged-000003", "damaged-000004"]
    assert len(said) == 4
    checkpoints.clear()
    assert list(tmp_path.iterdir()) == []


ELSEWHERE = """
import sys
from pathlib import Path
import jax, numpy as np
from dser_jax.engine.checkpoint import Checkpoints

mesh = jax.sharding.Mesh(np.asarray(jax.devices()), ("lanes",))
lanes = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lanes"))
keys = jax.vmap(jax.random.key)(np.arange(6, dtype=np.uint32))
state = jax.device_put({"key": keys, "w": np.arange(12.0, dtype=np.float32).reshape(6, 2)}, lanes)
Checkpoints(Path(sys.argv[1]), print).save(state, {1: "one", 5: "five"}, wait=True)
"""


def test_fault_10_lanes_saved_on_three_devices_come_back_on_one(tmp_path, checkpoints, said):
    subprocess.run(
        [sys.executable, "-W", "error", "-c", ELSEWHERE, tmp_path / "lanes"],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT), "JAX_NUM_CPU_DEVICES": "3"},
        check=True,
    )
    one = {"key": jax.random.key(0), "w": jnp.ones(2)}
    found = checkpoints.load(jax.eval_shape(lambda: one)).lanes
    expected = {"key": jax.random.key(5), "w": np.array([10, 11], np.float32)}
    assert list(found) == ["one", "five"]
    assert same(found["five"], expected)
    assert said == []


def test_fault_15_a_state_of_another_structure_is_left_out(tmp_path, checkpoints, said):
    kernel = LIKE.params["dense"]["kernel"]
    others = {
        "params/dense/kernel: float32[3, 2] there, float32[9, 2] here": LIKE._replace(
            params={
                **LIKE.params,
                "dense": {**LIKE.params["dense"], "kernel": kernel.update(shape=(9, 2))},
            }
        ),
        "step: int32[] there, uint32[] here": LIKE._replace(step=LIKE.step.update(dtype=np.uint32)),
        "nothing/0: absent there, bool[] here": LIKE._replace(nothing=(LIKE.nested.flag, {})),
        "key: key<fry>[2] there, absent here": LIKE._replace(key=None),
        "key: key<fry>[2] there, key<rbg>[2] here": LIKE._replace(
            key=jax.eval_shape(lambda: jax.random.split(jax.random.key(0, impl="rbg")))
        ),
    }
    checkpoints.save(lanes_of(1), {0: "a"}, wait=True)
    for difference, like in others.items():
        assert checkpoints.load(like) is None
        assert said.pop() == (
            f"{tmp_path}/lanes/000001: left out, as it is of another state ({difference})"
        )
    # An older one that fits is better than none, and nothing is lost.
    checkpoints.save({"w": jnp.ones((1, 3))}, {0: "a"}, wait=True)
    assert int(checkpoints.load(LIKE).lanes["a"].step) == 1
    assert "and 6 more)" in said.pop()
    assert names(tmp_path) == ["000001", "000002"]


def test_fault_15_another_schema_is_left_out(tmp_path, checkpoints, said, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "SCHEMA", 2)
        checkpoints.save(lanes_of(1), {0: "a"}, wait=True)
    assert checkpoints.load(LIKE) is None
    assert "000001: left out, as its schema is 2; expected 1" in said[0]
