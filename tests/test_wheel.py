"""The wheel: built without network from the files that git tracks, and looked into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import dser_jax

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel of a copy of the checkout, so that building leaves nothing in it."""
    pytest.importorskip("setuptools", "70.1")
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(
        ROOT / "dser_jax", folder / "dser_jax", ignore=shutil.ignore_patterns("__pycache__")
    )
    # What must not come in lies where it lies in a checkout.
    for name in ("tests", "examples", "experiments", "benchmarks", "docs"):
        (folder / name).mkdir()
        (folder / name / "stray.py").touch()
        (folder / name / "stray.csv").touch()
    (folder / "dser_jax" / "stray.wav").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    code = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(folder / done.stdout.strip().splitlines()[-1])


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "dser_jax").rglob("*")
        if path.is_file() and path.suffix == ".py"
    }
    others = names - sources
    assert sources <= names
    assert "dser_jax/py.typed" in others
    assert {Path(name).parent.as_posix() for name in others if name.endswith(".csv")} == {
        "dser_jax/report/published"
    }
    assert not [name for name in others if name.endswith((".wav", ".npy", ".npz", ".pyc"))]
    assert not [name for name in names if not name.startswith("dser_jax/")]
    assert sum(info.file_size for info in wheel.infolist()) < 8 << 20


def test_every_file_that_the_package_reads_is_in_the_wheel(wheel):
    data = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "dser_jax").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert data <= set(wheel.namelist())


def test_the_wheel_says_what_it_is(wheel):
    (info,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    (entries,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    told = Parser().parsestr(wheel.read(info).decode())
    assert (told["Name"], told["Version"]) == ("dser_jax", dser_jax.__version__)
    assert told["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())
    assert {"demo", "cuda12", "cuda13", "docs", "test"} <= set(told.get_all("Provides-Extra"))
    assert "# dser_jax" in str(told.get_payload())
    assert "dser = dser_jax.cli:main" in wheel.read(entries).decode()


def test_the_package_runs_from_the_wheel_alone(wheel, tmp_path):
    wheel.extractall(tmp_path)
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    code = "import dser_jax; print(dser_jax.__file__); from dser_jax.cli import main; main(['-V'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        str(tmp_path / "dser_jax" / "__init__.py"),
        f"dser_jax {dser_jax.__version__}",
    ]
