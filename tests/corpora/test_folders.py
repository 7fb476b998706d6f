from __future__ import annotations

import os

import pytest

from dser_jax.corpora.folders import find_files
from dser_jax.system.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for name in (
        *("b.wav", "a.WAV", "sub/c.wav", "notes.md", "._b.wav", "__MACOSX/sub/._c.wav"),
        *("__MACOSX/plain.wav", ".cache/d.wav"),
    ):
        (tmp_path / "rec" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rec" / name).touch()
    return tmp_path / "rec"


def names(folder, *suffixes: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_files(folder, suffixes)]


def test_what_archives_add_is_passed_over(folder):
    assert names(folder, ".wav") == ["a.WAV", "b.wav", "sub/c.wav"]
    assert names(folder, ".md", ".wav") == ["a.WAV", "b.wav", "notes.md", "sub/c.wav"]
    assert names(folder / "gone", ".wav") == []


def test_links_to_folders_are_followed_once(folder):
    other = folder.parent / "other"
    other.mkdir()
    (other / "e.wav").touch()
    (folder / "link").symlink_to(other)
    (folder / "twin").symlink_to(other)
    (other / "back").symlink_to(folder)
    (folder / "sub" / "self").symlink_to(folder / "sub")
    assert names(folder, ".wav") == ["a.WAV", "b.wav", "link/e.wav", "sub/c.wav"]
    assert names(folder / "link", ".wav")[0] == "back/a.WAV"


def test_a_recording_that_is_a_link_counts_and_so_does_a_broken_one(folder):
    (folder / "f.wav").symlink_to(folder / "b.wav")
    (folder / "g.wav").symlink_to(folder / "gone.wav")
    assert names(folder, ".wav") == ["a.WAV", "b.wav", "f.wav", "g.wav", "sub/c.wav"]


def test_a_folder_that_cannot_be_read_is_said(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="sub: this folder cannot be read: Permission denied"):
        find_files(folder, [".wav"])
