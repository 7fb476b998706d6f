from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dser_jax.cli import COMMANDS, guarded, main
from dser_jax.data.preparing import load_prepared
from dser_jax.system.errors import DserError

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("jax", "flax", "opensmile", "pyAudioAnalysis", "matplotlib", "pandas", "scipy"),
    *("soundfile", "rich", "numpy", "orbax", "optax"),
)


@pytest.fixture
def table(tmp_path) -> Path:
    """A table of twelve recordings in two sessions."""
    first = ["Well, well.", "It rains again.", "I do not know.", "Well, well.", "Yes.", "No!"]
    second = ["Well, well.", "Good.", "No!", "Why?", "Oh no.", "Maybe."]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "session", "speaker", "transcript", "V", "A", "split"])
        for i, text in enumerate(first + second):
            noise = np.random.default_rng(i).uniform(-0.3, 0.3, 3200)
            soundfile.write(tmp_path / f"r{i}.wav", noise, 16000)
            split = ["train", "train", "train", "dev", "test", "test"][i // 2]
            labels = [i / 4 + 1, 2 + i % 2]
            writer.writerow([f"r{i}.wav", f"S{i // 6}", f"p{i % 3}", text, *labels, split])
    return tmp_path / "labels.csv"


def arguments(table: Path, *more: str) -> list[str]:
    out = str(table.parent / "out")
    columns = ["--column", "valence=V", "arousal=A"]
    corpus = ["--corpus", "table", str(table), "--scale", "1", "5"]
    return ["prepare", *corpus, *columns, "--out", out, *more]


EARLY = """
import os, signal, sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, CtrlC())
from dser_jax.cli import guarded, main
import dser_jax.experiment.conducting
main(["--help"])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals cannot be sent on Windows")
@pytest.mark.parametrize("module", ["dser_jax.commands", "dser_jax.commands.watch", "jax"])
def test_ctrl_c_while_it_is_being_imported_is_a_line(module):
    """In the command, and in an experiment's file, which imports more before it begins."""
    done = subprocess.run(
        [sys.executable, "-c", EARLY, module], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "dser: stopped\n"
    assert done.returncode in (130, -signal.SIGINT)  # Of which a shell makes 130.


def fails(capsys, *given: str) -> str:
    """Runs a command that ends with code 2; returns what it says."""
    with pytest.raises(SystemExit) as caught:
        main(given)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return err


def test_prepare_says_what_it_found_and_where_it_lies(table, capsys):
    glove = table.parent / "glove.txt"
    glove.write_text("well 1 2\nno 3 4\n")
    main(arguments(table, "--features", "gemaps_hsf", "--glove", str(glove), "--jobs", "1"))
    out = capsys.readouterr().out
    assert f"labels in {table}: 12 utterances" in out
    assert "labels: valence 12, arousal 12, dominance 0" in out
    assert "gemaps_hsf: 12 utterances x 46" in out
    assert "glove: 2 dimensions, 2 of 14 words, 42.9% of all that is said" in out
    folder = table.parent / "out"
    assert f"12 utterances are prepared in {folder}; `dser inspect {folder}` shows them" in out
    prepared = load_prepared(folder)
    assert prepared.manifest["command"].startswith("dser prepare --corpus table")
    assert prepared.manifest["scale"] == [1, 5]


def test_prepare_is_told_how_a_table_is_written_and_what_to_call_it(table, capsys):
    text = table.read_text().replace('"Well, well."', "Well well.")
    table.write_text(text.replace(".", "·").replace(",", ".").replace("·", ","), "cp1252")
    message = fails(capsys, *arguments(table))
    assert "no such column" in message
    table.write_text(text.replace(",", ";").replace(".", ",").replace("Why?", "naïf?"), "cp1252")
    assert "--encoding cp1252" in fails(capsys, *arguments(table))
    told = ("--encoding", "cp1252", "--separator", ";", "--decimal", "comma", "--name", "mine")
    main(arguments(table, *told, "--missing", "S1"))
    out = capsys.readouterr().out
    assert f"mine in {table}: 12 utterances" in out
    assert "labels.csv: 12 rows, semicolon, decimal commas, cp1252" in out
    prepared = load_prepared(table.parent / "out")
    assert prepared.manifest["corpus"] == "mine"
    assert [utterance.session for utterance in prepared.utterances] == ["S0"] * 6 + [None] * 6


def test_prepare_adds_to_a_folder(table, capsys):
    main(arguments(table))
    out = str(table.parent / "out")
    np.save(table.parent / "mine.npy", np.ones((12, 3)))
    main(["prepare", "--acoustic", f"mine={table.parent / 'mine.npy'}", "--out", out])
    main(["prepare", "--features", "gemaps_lld", "--out", out])
    prepared = load_prepared(out)
    assert set(prepared.manifest["features"]) == {"mine", "gemaps_lld"}
    assert "mine: 12 utterances x 3" in capsys.readouterr().out


def test_prepare_lists_what_it_left_out(table, capsys):
    soundfile.write(table.parent / "r2.wav", np.zeros((800, 2)), 16000)
    text = table.read_text().replace("1.75,3", "9,3")
    table.write_text(text)
    message = fails(capsys, *arguments(table, "--features", "gemaps_hsf"))
    assert message.count("\n") == 1
    assert message.startswith(f"dser: {table}:5: the valence is off the scale, found '9'; expected")
    main(arguments(table, "--features", "gemaps_hsf", "--skip-bad"))
    out = capsys.readouterr().out
    assert "left out, 2 in all:" in out
    assert "labels.csv:5: the valence is off the scale" in out
    assert f"r2.wav: a stereo recording (of {table}:4), found '2 channels'; expected one" in out
    assert "10 utterances are prepared" in out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--features", "mfcc"), "no features 'mfcc'; there are gemaps_lld, gemaps_hsf"),
        (("--acoustic", "x.npy"), "--acoustic x.npy: expected NAME=VALUE"),
        (("--acoustic", "a=x", "a=y"), "--acoustic a=y: a is given twice"),
        (("--acoustic", "a=x.npy"), "x.npy: no such file; expected features as .npy or"),
        (("--utterances", "5"), "--utterances belongs to --corpus demo, not to table"),
        (("--jobs", "0"), "argument --jobs: 0 is less than 1"),
    ],
)
def test_prepare_refuses(table, capsys, more, message):
    assert message in fails(capsys, *arguments(table, *more))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--corpus demo", "--corpus demo: its folder is missing, as in --corpus demo ROOT"),
        ("--corpus table x.csv", "--corpus table: which scale are the labels on?"),
        (
            "--corpus iemocap x --scale 1 5",
            "--scale belongs to --corpus table or audformat, not to iemocap",
        ),
        ("--corpus emobank x --table y", "--table belongs to --corpus audformat, not to emobank"),
        (
            "--corpus iemocap x --decimal comma",
            "table, and --acoustic or --text; iemocap is none",
        ),
        ("--corpus table x --separator dash", "found 'dash'; expected comma, semicolon, tab, bar"),
        ("--features paa_hsf", "not a prepared folder yet; --corpus says what to prepare"),
        ("", "nothing to do: give --corpus, or features to add to the folder --out"),
    ],
)
def test_prepare_without_what_it_needs(tmp_path, capsys, given, message):
    out = str(tmp_path / "out")
    assert message in fails(capsys, "prepare", *given.split(), "--out", out)
    assert not (tmp_path / "out").exists()


def test_inspect_shows_everything(table, capsys):
    glove = table.parent / "glove.txt"
    glove.write_text("well 1 2\nno 3 4\n")
    main(arguments(table, "--features", "gemaps_lld", "--glove", str(glove)))
    capsys.readouterr()
    main(["inspect", str(table.parent / "out")])
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("dser sweep"))
    assert lines[0].startswith("labels: 12 utterances, labels from 1 to 5, fingerprint")
    for line in (
        "S0 p0 2, p1 2, p2 2 6 0 0 6",
        "all 3 speakers 6 2 4 12",
        "valence 2.38 0.86 1.00 2.38 3.75 0",
        "dominance - - - - - 12",
        "valence 1.00 0.14",
        "tokens 1 2 1.8 3 4 21",
        "vocabulary 14 21",
        "known to glove 2 (14.3%) 9 (42.9%) 2",
        "frames of gemaps_lld 16 16 16.0 16 16 192",
        "last session (S1) strict 4 2 6 S0",
        "column paper 6 2 4 S1",
    ):
        assert line in lines
    assert "2 transcripts occur word for word in more than one session; 5 utterances" in out
    assert "2 of its 6 transcripts occur in" in out
    assert "4 of its words do not" in out


def test_inspect_warns_of_words_that_are_none_or_too_many_and_of_known_speakers(tmp_path, capsys):
    table, out = tmp_path / "labels.csv", str(tmp_path / "out")
    texts = ["...", "so " * 120, *(f"w{i} v{i}" for i in range(100))]
    rows = [f"{text},{1 + i % 5},p{i % 3},{1 + i // 9}" for i, text in enumerate(texts)]
    table.write_text("\n".join(["transcript,valence,speaker,session", *rows]) + "\n")
    main(["prepare", "--corpus", "table", str(table), "--scale", "1", "5", "--out", out])
    prepared = " ".join(capsys.readouterr().out.split())
    main(["inspect", out])
    shown = " ".join(capsys.readouterr().out.split())
    assert "sessions: 12, 12 is the last" in prepared
    assert shown.index(" 9 p0 3, p1 3, p2 3") < shown.index(" 10 p0 3, p1 3, p2 3")
    assert "last session (12) strict" in shown
    for text in (prepared, shown):
        assert "1 of 102 transcripts have no word in them" in text
        assert (
            "1 of 102 transcripts have more than 100 words, the longest 120: the last 100" in text
        )
        assert "last session (12): 3 of 3 speakers (p0, p1, p2) of the test set are also" in text
        assert "occur only once" not in text
    table.write_text("\n".join(["transcript,valence", *(f"文{i},2" for i in range(20))]) + "\n")
    out = str(tmp_path / "another")
    main(["prepare", "--corpus", "table", str(table), "--yes", "--scale", "1", "5", "--out", out])
    assert "20 of 20 words occur only once" in capsys.readouterr().out


def test_inspect_of_the_least_a_corpus_can_be(tmp_path, capsys):
    table, out = tmp_path / "labels.csv", str(tmp_path / "out")
    table.write_text("transcript,valence\n[bold]hm,1\nx,2\n")
    main(["prepare", "--corpus", "table", str(table), "--yes", "--scale", "1", "5", "--out", out])
    main(["inspect", out])
    assert "needs sessions or splits" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["cp1252", "ascii:surrogateescape"])
def test_inspect_replaces_what_a_terminal_lacks_and_obeys_nothing(table, encoding):
    session = "会話\x1b[2J"
    text = table.read_text().replace(",S1,", f",{session},")
    table.write_text(text, "utf-8")
    prepare = ["-m", "dser_jax.cli", *arguments(table)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    for given in (prepare, ["-m", "dser_jax.cli", "inspect", str(table.parent / "out")]):
        done = subprocess.run(
            [sys.executable, *given], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        assert b"\x1b" not in done.stdout + done.stderr
    assert rb"??\x1b[2J" in done.stdout


def test_inspect_of_no_folder(tmp_path, capsys):
    assert "there is no such folder; expected a folder that `dser" in fails(
        capsys, "inspect", str(tmp_path / "no")
    )


def test_debug_shows_the_traceback(tmp_path):
    for given in (["--debug", "inspect", str(tmp_path)], ["inspect", str(tmp_path), "--debug"]):
        with pytest.raises(DserError):
            main(given)


def test_help(capsys):
    main([])
    out = capsys.readouterr().out
    assert "prepare" in out
    assert "inspect" in out
    with pytest.raises(SystemExit) as caught:
        main(["prepare", "--help"])
    assert caught.value.code == 0
    assert "--acoustic NAME=FILE" in capsys.readouterr().out


def test_guarded_says_things_without_a_traceback(capsys):
    def stop():
        raise KeyboardInterrupt

    def refuse():
        raise DserError("one\n  two")

    def full():
        raise OSError(28, "No space left on device", "x.npy")

    for function, code, message in (
        (stop, 130, "dser: stopped\n"),
        (refuse, 2, "dser: one\n  two\n"),
        (full, 2, "dser: x.npy: No space left on device\n"),
    ):
        with pytest.raises(SystemExit) as caught:
            guarded(function)
        assert caught.value.code == code
        assert capsys.readouterr().err == message
    assert guarded(lambda: None) is None


def test_what_nobody_foresaw_is_a_paragraph_and_a_file(capsys, tmp_path, monkeypatch):
    def crash():
        raise KeyError("sh" + "y" * 3000)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        guarded(crash)
    assert caught.value.code == 70
    said = capsys.readouterr().err
    assert said.startswith("dser: an error that was not foreseen: KeyError: 'shyyy")
    assert len(said) < 1000
    (kept,) = tmp_path.glob("dser-*.txt")
    assert f"its traceback is in {kept}" in said
    assert "in crash\n" in kept.read_text()
    with pytest.raises(KeyError):
        guarded(crash, debug=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SystemExit):
        guarded(crash)
    said = capsys.readouterr().err
    assert "in crash\n" in said
    assert "its traceback is above" in said


def test_help_tells_every_command_and_exit_code(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command.__name__.rpartition('.')[2]} +[a-z]", said, re.MULTILINE)
    codes = re.findall(r"^  (\d+)  ", said, re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "70", "75", "130"]
    documented = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    for code, text in re.findall(r"^  (\d+)  +(.+)", said, re.MULTILINE):
        assert f"| {code} | {text} |" in documented


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["nonsense"], "there is no command 'nonsense'; `dser --help` shows"),
        (["swep"], "there is no command 'swep'; did you mean sweep? `dser --help` shows"),
        (["sweep", "--sedes", "5"], "no --sedes; did you mean --seeds? `dser sweep --help` shows"),
        (["sweep", "--datta=x", "-x"], "there is no --datta; did you mean --data? `dser sweep"),
        (["sweep", "--data", "x", "--out", "y", "z"], "nothing is expected here: z; `dser sweep"),
        (["sweep", "--data", "x", "--out", "y", "-z"], "nothing is expected here: -z; `dser sweep"),
        (["sweep", "--protocol", "strickt"], "strict, paper; did you mean strict? `dser sweep"),
        (["sweep", "--data", "x", "--out", "y", "--units", "0"], "argument --units: 0 is less"),
        (["--vrsion"], "there is no --vrsion; did you mean --version? `dser --help` shows"),
        (
            ["sweep", "--data", "x"],
            "the following arguments are required: --out; `dser sweep --help`",
        ),
        (["sweep", "--data", "x", "--out", "y", "--lanes", "0"], "0 is less than 1"),
        (["report"], "required: DIR; `dser report --help` shows what there is"),
    ],
)
def test_wrong_arguments_are_one_line(capsys, given, message):
    said = fails(capsys, *given)
    assert message in said
    assert said.startswith("dser: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_what_completes(shell, capsys):
    main(["completion", shell])
    said = capsys.readouterr().out
    assert "dser" in said
    assert "_ARGCOMPLETE" in said
    if shell != "fish" and shutil.which(shell):
        subprocess.run([shell, "-n"], input=said, text=True, check=True, timeout=60)


def completed(line: str) -> list[str]:
    """Asks as a shell does."""
    code = (
        "import os, sys; os.dup2(1, 8); os.dup2(2, 9); "
        "from dser_jax.cli import main; sys.argv[0] = 'dser'; main()"
    )
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "IFS": "\v"}
    env = {**os.environ, "PYTHONPATH": str(ROOT), **asked, "_ARGCOMPLETE_IFS": "\v"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60
    )
    return [word.strip() for word in done.stdout.split("\v")]


def test_commands_flags_and_choices_are_completed():
    assert completed("dser re") == ["report"]
    assert "--retry-failed" in completed("dser sweep --retry")
    assert completed("dser sweep --protocol s") == ["strict"]


def run(*given: str, **options) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", *given]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, **options)


def test_importing_the_command_line_is_light():
    code = f"import sys, dser_jax.cli; print([name for name in {HEAVY} if name in sys.modules])"
    assert run("-c", code).stdout.strip() == "[]"


def test_reading_a_prepared_folder_needs_no_audio_library_and_no_jax():
    code = (
        "import sys, dser_jax.data.preparing, dser_jax.data.inspection; "
        f"print([name for name in {HEAVY[:-4]} if name in sys.modules])"
    )
    assert run("-c", code).stdout.strip() == "[]"


def test_help_is_quick():
    start = time.monotonic()
    assert "prepare" in run("-m", "dser_jax.cli", "--help").stdout
    assert time.monotonic() - start < 5


def on_a_terminal(*given: str, **variables: str) -> str:
    """Runs a command on a terminal of its own; returns what that shows."""
    pty = pytest.importorskip("pty")
    main_end, other_end = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    env |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **variables}
    with subprocess.Popen([sys.executable, *given], stdout=other_end, env=env) as process:
        os.close(other_end)
        shown = b""
        while True:
            try:
                part = os.read(main_end, 4096)
            except OSError:  # Linux's way to say that nobody writes any more.
                break
            if not part:
                break
            shown += part
    os.close(main_end)
    assert process.returncode == 0
    return shown.decode()


COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38|9[0-7])[0-9;]*m")


def test_colours_are_for_terminals_and_not_for_pipes():
    code = (
        "import dser_jax.commands.doctor.examination as d; from dser_jax.cli import main; "
        "d.examine = lambda folder: [('disk', [d.Finding('note', 'little', 'make room')])]; "
        "main(['doctor'])"
    )
    assert COLOUR.search(on_a_terminal("-c", code))
    assert not COLOUR.search(on_a_terminal("-c", code, NO_COLOR="1"))
    piped = run("-c", code).stdout
    assert piped.splitlines()[1:3] == ["  note    little", "          -> make room"]
    assert "\x1b" not in piped


def test_a_reader_that_has_seen_enough(table):
    main(arguments(table))
    command = f"{sys.executable} -m dser_jax.cli inspect out | head -n 1"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    shell = subprocess.run(
        command, shell=True, cwd=table.parent, env=env, capture_output=True, text=True, timeout=60
    )
    assert shell.stderr == ""
    assert shell.stdout.startswith("labels: 12 utterances")


def test_ctrl_c_then_the_same_command(tmp_path):
    """Ctrl-C in an extraction says how far it came; the same command does the rest."""
    rows = ["file,valence"]
    for i in range(60):
        noise = np.random.default_rng(i).uniform(-0.3, 0.3, 16000)
        soundfile.write(tmp_path / f"r{i}.wav", noise, 16000)
        rows.append(f"r{i}.wav,3")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    index = tmp_path / "out" / "store" / "gemaps_lld" / "index.jsonl"
    command = [sys.executable, "-m", "dser_jax.cli", "prepare", "--corpus", "table", "labels.csv"]
    command += [
        "--yes",
        "--scale",
        "1",
        "5",
        "--features",
        "gemaps_hsf",
        "--jobs",
        "1",
        "--out",
        "out",
    ]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (index.exists() and index.read_bytes().count(b"\n") > 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    done = index.read_bytes().count(b"\n")
    assert process.returncode == 130, err
    assert err == (
        f"dser: stopped: gemaps_lld of {done} of 60 recordings is done and kept; the same command "
        "goes on from there\n"
    )
    again = run(*command[1:], cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"gemaps_lld: {60 - done} in" in again.stderr
    assert "gemaps_hsf: 60 utterances x 46" in again.stdout


def test_the_lines_of_an_error_are_kept(capsys):
    def fail():
        raise DserError("runs/x was planned as another sweep:\n  new: 'a', 2 runs  \nChoose")

    with pytest.raises(SystemExit):
        guarded(fail)
    said = capsys.readouterr().err
    assert said == "dser: runs/x was planned as another sweep:\n  new: 'a', 2 runs\nChoose\n"


@pytest.mark.parametrize(
    "command", [[], *([each.__name__.rpartition(".")[2]] for each in COMMANDS)], ids=str
)
def test_help_fits_a_terminal(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_the_help_of_a_sweep_begins_with_what_is_used_first(capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    text = capsys.readouterr().out
    first, *groups = re.split(r"\n\n(?=[a-z ,]+:\n)", text.partition("options:\n")[2])
    flags = re.findall(r"^  (--[a-z-]+)", first, re.MULTILINE)
    eight = "--data --out --seeds --features --vectors --size --weights --grid"
    assert flags == ["--debug", *eight.split()]
    assert [group.partition(":")[0] for group in groups][-1] == "search"
    assert len(groups) == 6


def test_a_corpus_that_can_be_split_no_way_is_refused_before_anything_is_extracted(table, capsys):
    names = table.read_text().replace("session,speaker", "day,who").replace(",split", ",part")
    table.write_text(names)
    message = fails(capsys, *arguments(table, "--features", "gemaps_hsf"))
    assert (
        "these 12 utterances can be split no way: 0 sessions, and 12 of 12 utterances without"
        in message
    )
    assert "three speakers or more (speaker), or parts train and test (split)" in message
    assert not (table.parent / "out").exists()
    main(arguments(table, "--yes"))
    assert "12 utterances are prepared" in capsys.readouterr().out
    shutil.rmtree(table.parent / "out")
    table.write_text(names.replace("who", "speaker"))  # Three of them: --split folds:3.
    main(arguments(table))
