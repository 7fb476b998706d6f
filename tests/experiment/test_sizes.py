"""What a journal remembers of lanes that had no room on a device."""

import pytest

from dser_jax.experiment.sizes import Sizes, this_device


def test_a_size_is_remembered_by_program_and_device(tmp_path, monkeypatch):
    one, other = Sizes(tmp_path, "one"), Sizes(tmp_path, "other")
    assert one.read() is None
    one.write(8)
    other.write(4)
    one.write(2)
    assert (one.read(), other.read()) == (2, 4)
    assert Sizes(tmp_path, "one").read() == 2
    assert this_device() in (tmp_path / "lanes.json").read_text()
    monkeypatch.setattr("dser_jax.experiment.sizes.this_device", lambda: "4 x another")
    assert Sizes(tmp_path, "one").read() is None


@pytest.mark.parametrize("text", ["", "{", "\xff"])
def test_a_damaged_file_costs_nothing_but_the_hint(tmp_path, text):
    (tmp_path / "lanes.json").write_bytes(text.encode("latin-1"))
    sizes = Sizes(tmp_path, "one")
    assert sizes.read() is None
    sizes.write(8)
    assert sizes.read() == 8
