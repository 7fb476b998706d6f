from __future__ import annotations

import io
import logging
import sys

import pytest

from dser_jax.system.errors import DserError
from dser_jax.system.files.atomic import write_text
from dser_jax.system.output import (
    console_of,
    csv_text,
    harmless,
    print_utf8,
    printable,
    quiet_matplotlib,
    replace_unknown,
    settle,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_looks_wrong_is_said_once(monkeypatch, capsys):
    """Without a terminal in the error alone; with --yes on stdout alone."""
    settle([], False)
    with pytest.raises(DserError, match=r"this looks wrong: a; b\. --yes goes on with it"):
        settle(["a", "b"], False)
    assert capsys.readouterr() == ("", "")
    settle(["a", "b"], True)
    assert capsys.readouterr() == ("a\nb\n", "")


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("\n", False), ("", False)])
def test_at_a_terminal_one_is_asked(monkeypatch, capsys, answer, goes_on):
    told = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", told)
    if goes_on:
        settle(["a"], False)
    else:
        with pytest.raises(DserError, match="not gone on with; --yes does so unasked"):
            settle(["a"], False)
    assert told.getvalue() == "a\nThis looks wrong. Go on with it? [y/N] "
    assert capsys.readouterr().out == ""


def test_matplotlib_says_nothing_of_its_caches(caplog):
    quiet_matplotlib()
    quiet_matplotlib()
    logger = logging.getLogger("matplotlib")
    logger.warning("%s is not a writable directory", "/x")
    logger.warning("Matplotlib created a temporary cache directory at %s because ...", "/y")
    logger.warning("mkdir -p failed for path %s: %s", "/z", "no room")
    logger.warning("something else")
    assert caplog.messages == ["something else"]


def stdout(monkeypatch, encoding: str) -> io.BytesIO:
    """Puts a stream of an encoding in the place of stdout."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    return raw


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\x08\x7f", r"a\rb\x08\x7f"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("caf\udce9.wav", r"caf\udce9.wav"),
        ("日本\tÄ – ±\n'x'", "日本\tÄ – ±\n'x'"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text, shown):
    assert printable(text) == shown


def test_what_a_stream_lacks_is_replaced(monkeypatch):
    raw = stdout(monkeypatch, "cp1252")
    with pytest.raises(UnicodeEncodeError):
        print("日本")
    replace_unknown()
    print("日本 ±", flush=True)
    assert raw.getvalue().decode("cp1252") == "?? ±\n"


def test_data_are_utf_8_whatever_the_stream_is(monkeypatch):
    raw = stdout(monkeypatch, "cp1252")
    print("before ±")
    print_utf8("日本,caf\udce9\n")
    assert raw.getvalue() == b"before \xb1\n" + "日本,caf\\udce9\n".encode()
    monkeypatch.setattr(sys, "stdout", text := io.StringIO())
    print_utf8("日本\n")
    assert text.getvalue() == "日本\n"


def test_a_terminal_gets_data_that_it_does_not_obey(monkeypatch):
    raw = stdout(monkeypatch, "utf-8")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_utf8("a,\x1b[2J\n")
    assert raw.getvalue() == b"a,\\x1b[2J\n"


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "＝1+1"])
def test_names_that_are_formulas(name):
    assert harmless(name) == f"'{name}"
    assert csv_text([[harmless(name)]]).strip('"\n').startswith("'")


@pytest.mark.parametrize("cell", ["-1.5", "+3e-2", -1.5, None, 0, "", "a-b", " =1", "1.5"])
def test_numbers_and_other_cells_stay(cell):
    assert harmless(cell) == cell


def test_bytes_that_are_no_text_are_spelled_out_in_a_file(tmp_path):
    write_text(tmp_path / "x.json", '"caf\udce9"')
    assert (tmp_path / "x.json").read_text("utf-8") == '"caf\\udce9"'


@pytest.mark.parametrize(("columns", "width"), [("0", 80), ("5", 80), ("20", 20), ("132", 132)])
def test_a_console_has_room_for_words(monkeypatch, capsys, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    console = console_of()
    assert console.width == width
    console.print("words")
    assert capsys.readouterr().out == "words\n"
