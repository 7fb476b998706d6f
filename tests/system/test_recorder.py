"""The recorder that other tests replay crashes with: what a crash may leave, and no more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from recorder import Recorder, crashes, put

from dser_jax.system.files.atomic import replacing, replacing_folder


def left(root: Path, act) -> set[str | None]:
    """Returns what crashes leave under the name `a`; None for nothing."""
    recorder = Recorder(root)
    with recorder.watching():
        act()
    trees = [crash.tree for crash in crashes(recorder)]
    return {None if tree.get("a") is None else tree["a"].decode() for tree in trees}


@pytest.fixture
def older(tmp_path) -> Path:
    (tmp_path / "a").write_text("older")
    return tmp_path


def test_a_file_written_over_may_be_torn(older):
    found = left(older, lambda: (older / "a").write_text("newer!"))
    assert found == {"older", "newer!", "newer", "\0\0\0\0\0\0"}


def test_a_rename_may_come_before_the_bytes(older):
    def act():
        (older / "b").write_text("newer")
        os.replace(older / "b", older / "a")

    assert left(older, act) == {"older", "newer", "ne", "", "\0\0\0\0\0"}


def test_what_is_flushed_first_is_whole(older):
    def act():
        with replacing(older / "a") as file:
            file.write(b"newer")

    assert left(older, act) == {"older", "newer"}


def test_what_is_flushed_stays(older):
    def act():
        with replacing(older / "a") as file:
            file.write(b"newer")

    recorder = Recorder(older)
    with recorder.watching():
        act()
    last = len(recorder.steps)
    (tree,) = (crash.tree for crash in crashes(recorder) if crash.step == last)
    assert tree == {"a": b"newer"}
    kinds = [step.kind for step in recorder.steps]
    assert kinds == ["make", "write", "flush", "rename", "flush names"]


def test_a_name_that_is_not_flushed_may_be_lost(tmp_path):
    def act():
        with open(tmp_path / "a", "w") as file:
            file.write("new")
            file.flush()
            os.fsync(file.fileno())

    assert left(tmp_path, act) == {None, "", "new", "n", "\0\0\0"}


def test_a_folder_is_renamed_whole(tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    for name in ("1", "2", "y/3"):
        (tmp_path / "x" / name).write_text(name)
    recorder = Recorder(tmp_path)
    with recorder.watching():
        (tmp_path / "x").rename(tmp_path / "z")
    states = {tuple(sorted(tree)) for _, _, tree in crashes(recorder)}
    names = ["", "/1", "/2", "/y", "/y/3"]
    assert states == {tuple(folder + name for name in names) for folder in "xz"}
    for number, (_, _, tree) in enumerate(crashes(recorder)):
        folder = put(tree, tmp_path / "put" / str(number))
        assert (next(folder.rglob("3"))).read_text() == "y/3"


def test_a_folder_that_is_flushed_and_renamed_is_there(tmp_path):
    def act():
        with replacing_folder(tmp_path / "a") as made:
            (made / "b").mkdir()
            (made / "b" / "c").write_text("new")

    recorder = Recorder(tmp_path)
    with recorder.watching():
        act()
    found = crashes(recorder)
    for crash in found:
        if "a" in crash.tree:
            assert crash.tree["a/b/c"] == b"new", crash.what
    assert all("a" in crash.tree for crash in found if crash.step == len(recorder.steps))
    assert not all("a" in crash.tree for crash in found)


def test_what_is_removed_may_be_there_still(older):
    assert left(older, (older / "a").unlink) == {None, "older"}
