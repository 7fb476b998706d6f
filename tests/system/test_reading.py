from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from dser_jax.system.files.reading import read_archive

ARRAYS = {
    "f": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "names": np.array(["a", "naïve"]),
    "none": np.empty((0, 3)),
    "seen": np.array([True, False]),
    "scalar": np.array(3),
}


def packed(save=np.savez, **arrays) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def test_what_was_saved_is_read():
    found = read_archive(packed(**ARRAYS))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert read_archive(packed()) == {}


def test_each_flipped_bit_is_found_or_changes_nothing():
    data = packed(a=np.arange(3, dtype=np.float32), b=np.zeros(1))
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = read_archive(bytes(flipped))
        except ValueError:
            continue
        assert [(name, array.tolist()) for name, array in found.items()] == [
            ("a", [0, 1, 2]),
            ("b", [0]),
        ]


def with_header(header: str) -> bytes:
    """An archive of one array of eight bytes whose header, checksums and all, says something."""
    text = header.encode().ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(8)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", member)
    return file.getvalue()


def test_headers_that_promise_more_than_the_file_holds_are_refused():
    sound = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}"
    assert read_archive(with_header(sound))["a"].tolist() == [0]
    for shape in ("(2,)", "(1000000000000,)", "(0,)", "(-1,)"):
        with pytest.raises(ValueError, match=r"header|plain values"):
            read_archive(with_header(sound.replace("(1,)", shape)))
    with pytest.raises(ValueError, match="not an array of plain values"):
        read_archive(with_header(sound.replace("<f8", "|O")))


def test_compressed_arrays_are_refused_unread():
    bomb = packed(np.savez_compressed, a=np.zeros(10**7))
    assert len(bomb) < 10**5
    with pytest.raises(ValueError, match="compressed"):
        read_archive(bomb)


def test_objects_are_refused():
    with pytest.raises(ValueError, match="not an array of plain values"):
        read_archive(packed(a=np.array([{"a": 1}])))
