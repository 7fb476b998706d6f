"""What the code base promises of itself: see docs/design.md."""

import ast
import graphlib
import importlib
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
from dser_jax.system import names

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dser_jax"

ROOMS = (
    "system",
    "config",
    "corpora",
    "features",
    "data",
    "models",
    "loss",
    "training",
    "plan",
    "engine",
    "journal",
    "search",
    "stats",
    "report",
    "experiment",
    "share",
    "predict",
    "commands",
    "cli",
)
"""In this order: each imports those before it, wherever in a file it does so."""

LONGEST = 300
"""Lines of a file."""

RE_EXPORTS = ("optimizers",)
"""Modules beside the rooms that only show, under a documented name, what is in one of them."""


def name_of(path: Path) -> str:
    """Returns a module's name below the package; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
FOLDERS = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]


def room_of(module: str) -> str:
    return module.partition(".")[0]


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yields (module, name) of what a file imports of the package, also in functions, for types."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in found:
            package, _, rest = module.partition(".")
            if package == "dser_jax":
                yield rest, name


def exported(room: str) -> dict[str, str]:
    """Returns what a room shows to others, and the module that has it."""
    path = PACKAGE / room / "__init__.py"
    if not path.exists():
        return {}
    blocks = filter(is_for_types, ast.parse(path.read_text("utf-8")).body)
    return {
        alias.name: (node.module or "").removeprefix("dser_jax.")
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_every_module_is_in_a_room():
    folders = {path.name for path in FOLDERS}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert folders | files == {*ROOMS, *RE_EXPORTS}
    assert len(files) + 1 <= 4
    assert len(folders) <= 17


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_room_is_small_and_says_what_it_is_for(folder):
    assert len(list(folder.glob("*.py"))) <= 12
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    assert 1 < len(said.splitlines()) <= 10
    assert "first" in said  # Which file to open.
    for name in re.findall(r"`(\w+\.py)`", said):
        assert (folder / name).exists()


@pytest.mark.parametrize("path", MODULES.values(), ids=name_of)
def test_no_file_is_long(path):
    lines = path.read_text("utf-8").count("\n")
    assert lines <= LONGEST


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_rooms_before_it_and_what_they_export(module):
    room = room_of(module)
    # The package itself and re-exports show what is in the rooms, and are imported by none.
    before = ROOMS if room in ("", *RE_EXPORTS) else ROOMS[: ROOMS.index(room)]
    for other, name in imports(MODULES[module]):
        if other == "":
            assert name == "__version__", f"{module}: import {name} from its room"
        elif room_of(other) == room:
            found = f"{other}.{name}" in MODULES or other != room
            assert found, f"{module}: import {name} from its file, not from {room}"
        elif (module, other) != ("", "system.names") and other != "system.names":
            assert room_of(other) in before, f"{module}: {other} is in no room before {room}"
            if room == "cli" and room_of(other) == "commands":
                continue  # It lists them.
            assert "." not in other, f"{module}: import what {other} exports, from its room"
            door = PACKAGE / other / "__init__.py"
            if door.exists():
                assert name in exported(other), f"{module}: {other} does not export {name}"


@pytest.mark.parametrize("module", RE_EXPORTS)
def test_no_module_imports_a_re_export(module):
    for other in MODULES:
        assert all(module != where for where, _ in imports(MODULES[other])), other


@pytest.mark.parametrize("room", [path.name for path in FOLDERS if path.name != "commands"])
def test_what_a_room_exports_is_there(room):
    found = exported(room)
    door = importlib.import_module(f"dser_jax.{room}")
    assert set(door.__all__) == set(found)
    for name, module in found.items():
        assert room_of(module) == room
        # A module of the same name would hide it as soon as it is imported.
        assert not (PACKAGE / room / f"{name}.py").exists(), name
        assert getattr(door, name) is getattr(importlib.import_module(f"dser_jax.{module}"), name)


def test_modules_import_each_other_in_no_circle():
    graph = {
        module: {
            other if f"{other}.{name}".strip(".") not in MODULES else f"{other}.{name}".strip(".")
            for other, name in imports(path)
            if room_of(other) == room_of(module) != ""
        }
        for module, path in MODULES.items()
    }
    for door in [module for module in graph if "." not in module]:
        graph[door] = set()  # What it exports it loads later.
    graphlib.TopologicalSorter(graph).prepare()


def test_the_documents_tell_the_same_order():
    design = (ROOT / "docs" / "design.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)/?` \|", design, re.MULTILINE) == list(ROOMS)
    listed = re.findall(r"^    (\w+)  ", dser_jax.__doc__ or "", re.MULTILINE)
    assert len(listed) > 9
    assert listed == [room for room in ROOMS if room in listed]


def test_the_tests_stand_in_the_same_rooms():
    folders = {path.name for path in (ROOT / "tests").iterdir() if list(path.glob("test_*.py"))}
    assert folders >= {path.name for path in FOLDERS}
    assert folders <= {*ROOMS, "docs", "benchmarks", "frozen"}


@pytest.mark.parametrize("former", sorted(names.FormerNames().present))
def test_a_module_is_found_by_its_former_name(former):
    module = importlib.import_module(former)
    first, *others = map(importlib.import_module, names.FormerNames().present[former])
    assert module is first
    for other in others:
        shown = {name for name in vars(other) if not name.startswith("_")}
        assert shown <= set(dir(module))


def test_a_former_module_has_what_it_had():
    train = importlib.import_module("dser_jax.train")
    names = "EVAL_BATCH Best HParams History Result Run State Weights make_run named"
    assert set(names.split()) <= set(train.__all__)
    assert train.HParams is dser_jax.HParams is dser_jax.training.HParams


def test_what_the_documents_name_is_where_they_say():
    tables = ["dser_jax.loss.LOSSES", "dser_jax.loss.WEIGHTINGS", "dser_jax.models.MODELS"]
    tables += ["dser_jax.optimizers.OPTIMIZERS", "dser_jax.features.FEATURES"]
    page = (ROOT / "docs" / "extend.md").read_text("utf-8")
    for table in tables:
        module, _, name = table.rpartition(".")
        assert f"`{table}`" in page
        assert isinstance(getattr(importlib.import_module(module), name), dict)


def test_completion_shows_the_public_names():
    shown = [name for name in dir(dser_jax) if not name.startswith("_")]
    assert "sweep" in shown
    assert set(dser_jax.__all__) <= set(shown)
    assert not {"exports", "TYPE_CHECKING", "keep_former_names"} & set(shown)


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
            ", ".join(f"dser_jax.{name}" for name in MODULES if name.startswith("corpora.")),
            (*LIGHT, "audformat", "pandas"),
        ),
        ("dser_jax.journal", LIGHT),
        ("dser_jax.stats.table", LIGHT),
        ("dser_jax.report", LIGHT),
        ("dser_jax.training.run", HEAVY),
        ("dser_jax.engine.lanes", HEAVY),
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
