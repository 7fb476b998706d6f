"""Files that cannot be read, or are something else than what a command was told."""

from __future__ import annotations

import builtins
import io
import os
import wave
from pathlib import Path

import numpy as np
import pytest
from sweeping import fails

from dser_jax.cli import main
from dser_jax.system.files.unreadable import kind_of

TABLE, FEATURES = "a table as text, saved as CSV", "features as .npy or CSV"
DOORS = {
    "table": ("prepare --corpus table {file} --scale 1 5 --out {out}", TABLE),
    "emobank": ("prepare --corpus emobank {file} --out {out}", TABLE),
    "features": (
        "prepare --corpus table {table} --scale 1 5 --acoustic mine={file} --out {out}",
        FEATURES,
    ),
    "vectors": (
        "prepare --corpus table {table} --scale 1 5 --glove {file} --out {out}",
        "word vectors, as text or compressed by gzip",
    ),
    "flags": ("sweep --config {file} --data d --out {out}", "a file of flags, such as the sweep"),
}
"""By what a file is for, a command that reads it, and what it says is expected."""


@pytest.fixture
def given(tmp_path) -> dict[str, Path]:
    """A table that can be read, and files that are each of another kind."""
    table = tmp_path / "labels.csv"
    rows = [f"it was {i},s{i},{1 + i / 5}" for i in range(12)]
    table.write_text("\n".join(["transcript,speaker,valence", *rows]) + "\n")
    (tmp_path / "folder").mkdir()
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(3200))
    np.save(tmp_path / "a.npy", np.ones((12, 2)))
    return {"table": table, "out": tmp_path / "out"}


def said(capsys, given, door: str, file: Path) -> str:
    command = DOORS[door][0].format(file=file, **given)
    text = fails(capsys, command.split(" "))
    assert not given["out"].exists() or not list(given["out"].glob("manifest.json"))
    return text


@pytest.mark.parametrize("door", DOORS)
def test_a_folder_in_the_place_of_a_file(given, tmp_path, capsys, door):
    if door == "emobank":  # A folder may hold it.
        return
    text = said(capsys, given, door, tmp_path / "folder")
    assert text.startswith(f"dser: {tmp_path / 'folder'}: a folder, not a file; expected ")
    assert DOORS[door][1] in text


@pytest.mark.parametrize("door", DOORS)
def test_a_file_that_permissions_keep_from_us(given, tmp_path, capsys, door, monkeypatch):
    """Of root, who runs tests in some places, nothing is kept: hence the patch."""
    file, opened = tmp_path / "mine.csv", io.open

    def refusing(path, *more, **named):
        if os.fspath(path) == os.fspath(file):
            raise PermissionError(13, "Permission denied", os.fspath(file))
        return opened(path, *more, **named)

    file.write_text("x")
    monkeypatch.setattr(io, "open", refusing)
    monkeypatch.setattr(builtins, "open", refusing)
    text = said(capsys, given, door, file)
    assert text.startswith(f"dser: {file}: cannot be read: its permissions, or those of its folder")
    assert DOORS[door][1] in text


@pytest.mark.parametrize("door", ["table", "emobank"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.wav", "a recording (WAV)"), ("a.npy", "an array of NumPy (.npy)")],
)
def test_a_table_that_is_none(given, tmp_path, capsys, door, name, kind):
    text = said(capsys, given, door, tmp_path / name)
    assert text == f"dser: {tmp_path / name}: {kind}, and no text; expected {TABLE}\n"


def test_a_recording_in_the_place_of_features(given, tmp_path, capsys):
    text = said(capsys, given, "features", tmp_path / "a.wav")
    assert text == f"dser: {tmp_path / 'a.wav'}: a recording (WAV); expected {FEATURES}\n"


@pytest.mark.parametrize("command", ["report", "watch", "export --best --out m"])
def test_a_file_in_the_place_of_the_folder_of_a_sweep(given, capsys, command):
    name, *flags = command.split()
    text = fails(capsys, [name, str(given["table"]), *flags])
    assert f"{given['table']} holds no journal" in text
    assert "expected what `dser sweep --out` named" in text


def test_what_the_system_refuses_elsewhere_names_the_file_first(given, capsys, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", "some/file")

    monkeypatch.setattr("dser_jax.data.load_prepared", refused)
    with pytest.raises(SystemExit):
        main(["inspect", "x"])
    assert capsys.readouterr().err == "dser: some/file: Permission denied\n"


@pytest.mark.parametrize(
    "text", ["FORMANT1,FORMANT2\n1,2\n", "ID3,x\n", "OggS;fLaC\n", "RIFF,WAVE,x\n", "PK,x\n", ""]
)
def test_no_table_is_taken_for_something_else(text):
    assert kind_of(text.encode()) is None
