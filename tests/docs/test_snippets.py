"""The tutorial, literally but smaller; the Python of README and reference; docstring examples."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest
from fabricated import fabricate
from held_against import add_baselines
from sweeping import draw_nothing

from dser_jax import results
from dser_jax.cli import COMMANDS, main
from dser_jax.journal.reading import read_journal

ROOT = Path(__file__).parents[2]
SMALLER = {
    "utterances=200": "utterances=50",
    "--seeds 5": "--seeds 2 --max-epochs 3 --acoustic dense --text dense --no-baselines",
    "seed=range(5)": "seed=range(1)",
    "units=16,": "units=16, acoustic='dense', text='dense',",
}


def blocks(name: str, kind: str) -> list[str]:
    """Returns the blocks of code of a document."""
    text = (ROOT / name).read_text("utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def smaller(text: str) -> str:
    for one, other in SMALLER.items():
        text = text.replace(one, other)
    return text


def commands(name: str) -> list[list[str]]:
    """Returns the arguments of each `dser` command of a document."""
    lines = [
        line for block in blocks(name, "sh") for line in block.replace("\\\n", " ").splitlines()
    ]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("dser ")]
    return [words[1 : words.index("|")] if "|" in words else words[1:] for words in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the tutorial has been followed: a corpus, a prepared folder, a sweep."""
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        draw_nothing(patch)
        csv, *_ = blocks("docs/tutorial.md", "python")
        exec(smaller(csv), {})
        for words in commands("docs/tutorial.md"):
            if words != ["doctor"]:
                main(shlex.split(smaller(shlex.join(words))))
    return folder


def test_the_tutorial_leads_to_a_table(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert len(read_journal("runs/first").manifest["planned"]) == 4
    assert (folder / "runs" / "first" / "report" / "report.md").exists()
    *_, last = blocks("docs/tutorial.md", "python")
    exec(last, {})
    said = capsys.readouterr().out
    assert "no weights" in said
    assert "0.7/0.2/0.1" in said


def test_python_of_the_readme_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "demo").mkdir()
    (folder / "demo" / "prepared").symlink_to(folder / "prepared")
    (snippet,) = blocks("README.md", "python")
    assert len(snippet.splitlines()) <= 12
    exec(smaller(snippet), {})
    said = capsys.readouterr().out
    assert "alpha=0.7 beta=0.3 learning rate=0.004 0 " in said
    assert "mean" in said


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_means_in_python_mix_neither_folds_nor_baselines(name, tmp_path, capsys):
    """Where folds are pooled, a row has its seeds and not the runs of the folds among them."""
    for split, more in (("fold 1", {}), ("fold 2", {}), ("2 folds", {"kind": "pooled"})):
        fabricate(tmp_path, seeds=3, split=split, **more)
    add_baselines(tmp_path)
    *_, block = blocks(name, "python")
    code = block[block.index("table = results(") :].replace('["mean", "std"', '["count", "std"')
    exec(code, {"results": lambda _: results(tmp_path)})
    said = capsys.readouterr().out
    assert [float(found) for found in re.findall(r"  (\d+) ", said)] == [3] * 9
    assert "ridge" not in said


PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_the_documents_are_understood(name):
    """Every `dser` command in a document has a subcommand and flags that exist."""
    names = {command.__name__.rpartition(".")[2] for command in COMMANDS}
    for words in commands(name):
        assert words[0] in names or words[0].startswith(("-", "COMMAND")), words
        if words[0] in names:
            known = _flags(words[0])
            unknown = [word for word in words if word.startswith("--") and word not in known]
            assert not unknown, f"{name}: dser {shlex.join(words)}"


def _flags(command: str) -> set[str]:
    from dser_jax.cli import make_parser

    (sub,) = (a for a in make_parser()._actions if hasattr(a, "choices") and a.choices)
    return {flag for action in sub.choices[command]._actions for flag in action.option_strings}


EXAMPLES = [
    path.relative_to(ROOT / "dser_jax").with_suffix("").as_posix().replace("/", ".")
    for path in sorted((ROOT / "dser_jax").rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]
"""Modules whose docstrings have examples."""


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_of_docstrings_hold(module):
    found = doctest.testmod(importlib.import_module(f"dser_jax.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
