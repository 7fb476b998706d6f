"""What a journal remembers of lanes that had no room on a device."""

import pytest

from dser_jax.experiment.sizes import Sizes, this_device
from dser_jax.system import write_sealed


def test_a_size_is_remembered_by_program_and_device(tmp_path, monkeypatch):
    one, other = Sizes(tmp_path, "one", pytest.fail), Sizes(tmp_path, "other", pytest.fail)
    assert one.read() is None
    one.write(8)
    other.write(4)
    one.write(2)
    assert (one.read(), other.read()) == (2, 4)
    assert Sizes(tmp_path, "one", pytest.fail).read() == 2
    assert this_device() in (tmp_path / "lanes.json").read_text()
    monkeypatch.setattr("dser_jax.experiment.sizes.this_device", lambda: "4 x another")
    assert Sizes(tmp_path, "one", pytest.fail).read() is None


@pytest.mark.parametrize("text", ["", "{", "\xff", "[]", "[" * 10**5, '{"a": 2, "checksum": "0"}'])
def test_a_damaged_file_costs_nothing_but_the_hint(tmp_path, text):
    (tmp_path / "lanes.json").write_bytes(text.encode("latin-1"))
    said: list[str] = []
    sizes = Sizes(tmp_path, "one", said.append)
    assert sizes.read() is None
    assert "lanes.json: damaged" in said[0]
    assert "found out again" in said[0]
    sizes.write(8)
    assert Sizes(tmp_path, "one", pytest.fail).read() == 8


def test_what_is_no_number_of_lanes_is_left_out(tmp_path):
    said: list[str] = []
    sizes = Sizes(tmp_path, "one", said.append)
    for lanes in (True, 0, -3, 2.5, "8", [], {}):
        write_sealed(tmp_path / "lanes.json", {f"one on {this_device()}": lanes})
        assert sizes.read() is None
    assert len(said) == 7
