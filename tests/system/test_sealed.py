from __future__ import annotations

import hashlib
import json

import pytest

from dser_jax.system.errors import DataError
from dser_jax.system.files.sealed import (
    check_digests,
    digests_of,
    parse_sealed,
    read_sealed,
    to_sealed,
    write_sealed,
)

VALUE = {"name": "naïve \N{SNOWMAN}", "scores": [0.1, 1e-7, None], "deep": {"a": {}}}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("value", [VALUE, {}, {"checksums": "checksum"}])
def test_what_is_sealed_is_read(value, indent):
    data = to_sealed(value, indent)
    assert parse_sealed(data) == value
    assert list(json.loads(data)) == [*value, "checksum"]


def test_the_checksum_is_that_of_all_before_it():
    digest = hashlib.sha256(b'{"run": "r0"').hexdigest()[:16].encode()
    assert to_sealed({"run": "r0"}) == b'{"run": "r0", "checksum": "%b"}\n' % digest


@pytest.mark.parametrize("indent", [None, 1])
def test_each_flipped_bit_is_found_or_changes_nothing(indent):
    data = to_sealed(VALUE, indent)
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            try:
                found = parse_sealed(bytes(flipped))
            except ValueError:
                continue
            assert {name: found[name] for name in VALUE} == VALUE


def test_what_older_versions_wrote_is_believed(tmp_path):
    (tmp_path / "old.json").write_text('{"a": 1}')
    assert read_sealed(tmp_path / "old.json") == {"a": 1}
    assert read_sealed(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"3", b'{"a": ', b"\xff\xfe", b"[" * 10**5, b'{"a":' * 10**5),
        *(b'{"checksum": "0123456789abcdef", "a": 1}', b'{"a": 1, "checksum": 3}'),
    ],
)
def test_what_is_not_what_was_written_is_named(tmp_path, data):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.json: damaged .*; ask for it again"):
        read_sealed(tmp_path / "x.json", "ask for it again")


def test_names_that_are_no_text_are_spelled_out(tmp_path):
    write_sealed(tmp_path / "x.json", {"name": "\udcff"})
    assert read_sealed(tmp_path / "x.json") == {"name": "\udcff"}


def test_files_are_known_by_their_digests(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"")
    known = digests_of(tmp_path)
    assert known == {
        "b": [0, hashlib.sha256().hexdigest()],
        "in/a": [3, hashlib.sha256(b"abc").hexdigest()],
    }
    check_digests(tmp_path, known)
    (tmp_path / "in/a").write_bytes(b"abd")
    with pytest.raises(DataError, match="a: damaged"):
        check_digests(tmp_path, known)
    (tmp_path / "in/a").unlink()
    with pytest.raises(DataError, match="a: cannot be read: No such file"):
        check_digests(tmp_path, known)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "in/../../x"])
def test_no_digest_is_made_of_what_lies_outside(tmp_path, name):
    with pytest.raises(DataError, match="a file outside its folder"):
        check_digests(tmp_path / "in", {name: [0, ""]})
