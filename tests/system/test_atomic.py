import pytest

from dser_jax.system.files.atomic import remove_stale, replacing, write_text


def test_replacing_is_all_or_nothing(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "older")
    with pytest.raises(RuntimeError), replacing(path) as file:
        raise RuntimeError(file.write(b"half"))
    assert path.read_text() == "older"
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "older"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_stale_files_go_and_no_others(tmp_path):
    for name in (".a.npz.12.part", ".b.7.part", "c.part", ".d"):
        (tmp_path / name).write_text("")
    gone = remove_stale(tmp_path)
    assert [path.name for path in gone] == [".a.npz.12.part", ".b.7.part"]
    assert {path.name for path in tmp_path.iterdir()} == {"c.part", ".d"}
