from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from dser_jax.features.store import Store, writing
from dser_jax.system.errors import DataError, DserError


def frames(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A store with the keys a (2 frames) and b (3 frames)."""
    with writing(tmp_path, 3) as writer:
        writer.add("a", frames(2, 0), 0.5)
        writer.add("b", frames(3, 1), 0.5)
    return tmp_path


def test_gives_back_what_was_added(folder):
    store = Store(folder, 3)
    assert "a" in store
    assert "c" not in store
    assert len(store) == 2
    assert store.rows("b") == 3
    np.testing.assert_array_equal(store["a"], frames(2, 0))
    np.testing.assert_array_equal(store["b"], frames(3, 1))
    with pytest.raises(KeyError):
        store["c"]


def test_an_empty_store(tmp_path):
    assert "a" not in Store(tmp_path / "none", 3)
    with writing(tmp_path, 3):
        pass
    assert len(Store(tmp_path, 3)) == 0


def test_is_readable_while_it_grows(tmp_path):
    with writing(tmp_path, 3) as writer:
        writer.add("a", frames(2), 0.5)
        assert "a" in Store(tmp_path, 3)


def test_goes_on_from_every_torn_end(folder):
    """Cuts both files wherever a crash could: whole entries stay, and adding works again."""
    data, index = (folder / "frames.f32").read_bytes(), (folder / "index.jsonl").read_bytes()
    first_line = index.index(b"\n") + 1
    for cut_index in (*range(first_line, first_line + 4), len(index) - 1, len(index)):
        for cut_data in (2 * 12, 2 * 12 + 1, 2 * 12 + 12, len(data) - 1, len(data)):
            (folder / "frames.f32").write_bytes(data[:cut_data])
            (folder / "index.jsonl").write_bytes(index[:cut_index])
            whole = cut_index == len(index) and cut_data == len(data)
            assert ("b" in Store(folder, 3)) == whole
            with writing(folder, 3) as writer:
                writer.add("c", frames(4, 2), 0.5)
            store = Store(folder, 3)
            assert len(store) == 2 + whole
            np.testing.assert_array_equal(store["a"], frames(2, 0))
            np.testing.assert_array_equal(store["c"], frames(4, 2))
            size = (folder / "frames.f32").stat().st_size
            assert size == 12 * (2 + 4 + 3 * whole), "trailing frames were dropped"


def test_frames_without_a_line_are_dropped(folder):
    with (folder / "frames.f32").open("ab") as file:
        file.write(frames(5).tobytes())
    with writing(folder, 3) as writer:
        writer.add("c", frames(1, 7), 0.5)
    np.testing.assert_array_equal(Store(folder, 3)["c"], frames(1, 7))


def test_a_line_that_makes_no_sense_is_skipped(folder):
    index = folder / "index.jsonl"
    for line in (b"\xff\xfe", b"[]", b"{}", b'{"key": "z", "offset": -1, "rows": 1, "crc32": 0}'):
        index.write_bytes(line + b"\n" + index.read_bytes())
    assert len(Store(folder, 3)) == 2
    with writing(folder, 3):
        pass
    assert [json.loads(line)["key"] for line in index.read_text().splitlines()] == ["a", "b"]


def test_says_how_loud_a_recording_is(folder):
    with writing(folder, 3) as writer:
        writer.add("c", frames(1), 1.25)
    assert Store(folder, 3).peak("c") == 1.25


def test_what_was_stored_of_recordings_that_nobody_checked_is_extracted_again(folder):
    """Version 0.1.0 kept frames of recordings that were cut short, silent or on another scale."""
    index = folder / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    older = [{name: line[name] for name in ("key", "offset", "rows", "crc32")} for line in lines]
    index.write_text("".join(json.dumps(line) + "\n" for line in older))
    assert len(Store(folder, 3)) == 0
    with writing(folder, 3) as writer:
        writer.add("a", frames(2, 0), 0.5)
    np.testing.assert_array_equal(Store(folder, 3)["a"], frames(2, 0))


def test_lines_without_a_checksum_are_read(folder):
    index = folder / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    assert all(line.pop("checksum") for line in lines)
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(Store(folder, 3)) == 2


def test_a_flipped_bit_is_noticed_and_extracted_again(folder):
    data = bytearray((folder / "frames.f32").read_bytes())
    data[5] ^= 1
    (folder / "frames.f32").write_bytes(data)
    store = Store(folder, 3)
    assert "a" not in store
    assert "b" in store
    with writing(folder, 3) as writer:
        writer.add("a", frames(2, 0), 0.5)
    np.testing.assert_array_equal(Store(folder, 3)["a"], frames(2, 0))


def test_no_flipped_bit_of_the_index_changes_what_is_found(folder):
    index = folder / "index.jsonl"
    data = index.read_bytes()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        index.write_bytes(damaged)
        store = Store(folder, 3)
        for key, rows, seed in (("a", 2, 0), ("b", 3, 1)):
            if key in store:
                np.testing.assert_array_equal(store[key], frames(rows, seed))
                assert store.peak(key) == 0.5
                assert store.rows(key) == rows
        assert len(store) >= (data[bit // 8 : bit // 8 + 1] != b"\n")


def test_frames_that_are_damaged_meanwhile(folder):
    store = Store(folder, 3)
    (folder / "frames.f32").write_bytes(bytes(60))
    with pytest.raises(DataError, match=r"frames\.f32: damaged frames; .* extracts it again"):
        store["a"]


def test_an_index_that_is_nested_too_deeply(folder):
    (folder / "index.jsonl").write_bytes(b"[" * 100_000 + b"\n")
    assert len(Store(folder, 3)) == 0


def test_lost_frames(folder):
    (folder / "frames.f32").unlink()
    assert len(Store(folder, 3)) == 0


def hold(folder: Path, ready, done) -> None:
    with writing(folder, 3):
        ready.set()
        done.wait(30)


def test_two_writers(folder):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(folder, ready, done))
    other.start()
    assert ready.wait(30)
    with (
        pytest.raises(DserError, match=f"in use by process {other.pid} on"),
        writing(folder, 3),
    ):
        pass
    other.kill()
    other.join()
    with writing(folder, 3) as writer:
        writer.add("c", frames(1), 0.5)
    other.close()


def test_what_a_kill_left_half_written_goes(folder):
    (folder / ".index.jsonl.123.part").write_bytes(b"half")
    with writing(folder, 3):
        pass
    assert {file.name for file in folder.iterdir()} == {"frames.f32", "index.jsonl"}


def test_wrong_shapes(folder):
    with writing(folder, 3) as writer:
        for wrong in (frames(0), frames(2)[:, :2]):
            with pytest.raises(ValueError, match=r"expected \[rows, 3\]"):
                writer.add("c", wrong, 0.5)


def test_a_full_disk(folder):
    """Frames that cannot be written leave what was there, and say so."""
    with writing(folder, 3) as writer:
        writer._frames.close()
        writer._frames = Path("/dev/full").open("wb")  # noqa: SIM115
        with pytest.raises(DserError, match=r"No space left on device.*goes on from there"):
            writer.add("c", frames(1), 0.5)
    assert set(Store(folder, 3)._index) == {"a", "b"}


def test_half_precision(tmp_path):
    """Frames come back in single precision, with three digits; what is too large is refused."""
    values = np.array([[1.0001, 2.5, -3e-3]], np.float32)
    with writing(tmp_path, 3, True) as writer:
        writer.add("a", values, 0.5)
        with pytest.raises(DserError, match=r"100000 is too large for half precision.*--float16"):
            writer.add("b", np.full((1, 3), 1e5, np.float32), 0.5)
    store = Store(tmp_path, 3, True)
    assert store["a"].dtype == np.float32
    np.testing.assert_allclose(store["a"], values, rtol=1e-3)
    assert "b" not in store
