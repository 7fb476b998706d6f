"""What is said of a file that cannot be read, or is something else than what was asked for."""

from __future__ import annotations

from pathlib import Path

from dser_jax.system.errors import DataError

_KINDS = {
    b"\x93NUMPY": "an array of NumPy (.npy)",
    b"fLaC\0": "a recording (FLAC)",
    b"OggS\0": "a recording (Ogg)",
    b"ID3\2": "a recording (MP3)",
    b"ID3\3": "a recording (MP3)",
    b"ID3\4": "a recording (MP3)",
    b"NIST_1A\n": "a recording (SPHERE)",
    b"PK\x03\x04": "compressed, or a workbook of a spreadsheet",
    b"\x1f\x8b": "compressed (gzip)",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a picture (PNG)",
    b"%PDF-": "a PDF",
}
"""What a file is that begins so, as no table does."""
_CHUNKS = {b"WAVE": "a recording (WAV)", b"AIFF": "a recording (AIFF)"}


def kind_of(begin: bytes) -> str | None:
    """Says what a file is that is no text, from its first twelve bytes; None for others."""
    if begin[:4] in (b"RIFF", b"RF64", b"FORM") and begin[8:12] in _CHUNKS:
        return _CHUNKS[begin[8:12]]
    return next((kind for sign, kind in _KINDS.items() if begin.startswith(sign)), None)


def unread(path: str | Path, error: OSError, expected: str | None = None) -> DataError:
    """Makes the error of a file that was asked for by name and cannot be read."""
    if isinstance(error, FileNotFoundError):
        problem = "no such file"
    elif isinstance(error, IsADirectoryError):
        problem = "a folder, not a file"
    elif isinstance(error, PermissionError):
        problem = "cannot be read: its permissions, or those of its folder, do not let you"
    elif isinstance(error, NotADirectoryError):
        problem = "no such file: what should be its folder is a file"
    else:
        problem = f"cannot be read: {error.strerror or error}"
    return DataError(problem, file=path, expected=expected)
