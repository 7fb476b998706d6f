"""What the code base promises of itself: see docs/design.md."""

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dser_jax

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dser_jax"

LAYERS = (
    "errors config atomic lock progress sweep_progress signals environment cores compile_cache",
    "corpora corpora.utterances corpora.reading corpora.iemocap corpora.msp_improv corpora.table",
    "corpora.msp_podcast corpora.emobank corpora.audformat",
    "corpora.demo_text corpora.espeak_worker corpora.espeak corpora.demo",
    "features.audio features.extractor features.functionals",
    "features.gemaps features.paa features.paa_fast features",
    "features.store features.interrupt features.extract features.imported",
    "features.tokenizer features.vectors",
    "prepared staging prepare splits leaks inspect dataset join",
    "models.recurrence models.sequences models.layers models.acoustic models.text models.network",
    "models",
    "loss optimizers train runs program sizing checkpoint lanes handout ray_engine ray_workers",
    "metrics weights grid journal_files journal_plan journal merge",
    "search.space search.base search.random search.halving search.optuna search.trials search",
    "plan rows search.decisions",
    "frame intervals stats tables subsets",
    "published.numbers published.compare published.patterns published",
    "report_text report_sections report_paper report_leaks report_search report_files",
    "searches report_searches",
    "figures.style figures.curves figures.scatter figures.heat figures.lines",
    "figures.parts figures.searched figures.trials figures report",
    "run_settings page.pack page.markup page.sweep page.scores page.runs page.curves",
    "page.predictions page.searched page.compare page.library page.build page watch",
    "trackers.tracked trackers.tensorboard trackers.wandb trackers",
    "bootstrap baselines experiment settings conduct collection doctor",
    "share share.bundle share.choice share.forward share.gather share.card share.stablehlo",
    "share.export predict predict.estimate predict.predictor predict.segment predict.transcribe",
    "predict.recordings predict.pipeline predict.output",
    "commands commands.base commands.prepare commands.inspect commands.join commands.sweep",
    "commands.report commands.watch commands.merge commands.export commands.predict",
    "commands.doctor commands.completion cli",
)
ORDER = [module for layer in LAYERS for module in layer.split()]
"""Every module; each may import those before it, wherever in its file it does so."""


def name_of(path: Path) -> str:
    """Returns a module's name below the package; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path) -> Iterator[str]:
    """Yields the modules of the package that a file imports, also in functions and for types."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, module = name.partition(".")
            if package == "dser_jax":
                yield module if module in MODULES else module.rpartition(".")[0]


def test_every_module_has_its_place():
    assert sorted(ORDER) == sorted(MODULES.keys() - {""})
    assert set(imported(MODULES[""])) < set(ORDER)  # for types alone: test_imports_cost ...


@pytest.mark.parametrize("module", ORDER)
def test_imports_point_backwards(module):
    before = {"", *ORDER[: ORDER.index(module)]}
    assert not set(imported(MODULES[module])) - before


def test_the_documents_tell_the_same_order():
    design = (ROOT / "docs" / "design.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.+?`) \|", design, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)] == ORDER
    listed = re.findall(r"^    (\w+)  ", dser_jax.__doc__ or "", re.MULTILINE)
    assert len(listed) > 9
    assert listed == [module for module in ORDER if module in listed]


AUDIO = ("opensmile", "pyAudioAnalysis", "soundfile", "espeakng_loader")
LIGHT = ("jax", "flax", "matplotlib", "sklearn", *AUDIO)
HEAVY = ("matplotlib", "pandas", "sklearn", *AUDIO)


def python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("modules", "without"),
    [
        ("dser_jax", LIGHT),
        ("dser_jax.cli", LIGHT),
        (
            ", ".join(f"dser_jax.{name}" for name in ORDER if name.startswith("corpora.")),
            (*LIGHT, "audformat", "pandas"),
        ),
        ("dser_jax.journal", LIGHT),
        ("dser_jax.tables", LIGHT),
        ("dser_jax.report", LIGHT),
        ("dser_jax.train", HEAVY),
        ("dser_jax.lanes", HEAVY),
        ("dser_jax.experiment", HEAVY),
    ],
)
def test_imports_cost_only_what_is_needed(modules, without):
    loaded = python("-c", f"import sys, {modules}; print(*sys.modules)").split()
    assert "dser_jax" in loaded
    assert not set(loaded) & set(without)


def test_help_answers_at_once():
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        assert "prepare" in python("-m", "dser_jax.cli", "--help")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1


EXPERIMENTS = sorted((ROOT / "experiments").glob("*.py"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_is_short(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 60
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module):
    assert ast.get_docstring(ast.parse(MODULES[module].read_text("utf-8")))


def test_no_file_names_a_folder_of_one_machine():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    folder = re.compile(rb"""["' =(`]/(work|farm|opt|root|home)/[a-z.]""")
    found = []
    for name in listed.stdout.split("\0")[:-1]:
        if (ROOT / name).is_file():
            for number, line in enumerate((ROOT / name).read_bytes().split(b"\n"), start=1):
                if folder.search(line):
                    found.append(f"{name}:{number}: {line.decode(errors='replace')}")
    assert found == []
