"""Settings of JAX in the environment: commands work under them, or say what to unset."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sweeping import fails, prepare_sentences, sweep_arguments
from untrained import make_model

from dser_jax.commands.doctor import machine
from dser_jax.share.exporting import write_bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepare_sentences(tmp_path_factory.mktemp("data"))


def sweep_under(data: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys\nfrom sweeping import draw_nothing\nimport pytest\n"
    code += "draw_nothing(pytest.MonkeyPatch())\nfrom dser_jax.cli import main\nmain(sys.argv[1:])"
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    return subprocess.run(
        [sys.executable, "-c", code, *sweep_arguments(data, out, "--seeds", "1", "--keep-weights")],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_platform_that_is_not_there_is_named(data, tmp_path):
    done = sweep_under(data, tmp_path / "out", JAX_PLATFORMS="no-such-one")
    assert done.returncode == 2, done.stderr
    assert "JAX does not compute" in done.stderr
    assert "JAX_PLATFORMS is 'no-such-one': unset it, or name what is there" in done.stderr
    assert not (tmp_path / "out").exists()


MAIN = (sys.executable, "-c", "from dser_jax.cli import main; main()")


def test_a_setting_that_jax_cannot_read_is_named(data, tmp_path):
    done = subprocess.run(
        [*MAIN, *sweep_arguments(data, tmp_path / "out")],
        env={**os.environ, "JAX_ENABLE_X64": "maybe"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert "a setting that JAX cannot read" in done.stderr
    assert "maybe" in done.stderr


@pytest.mark.parametrize("name", ["JAX_DISABLE_JIT", "JAX_DEBUG_NANS", "JAX_ENABLE_X64"])
def test_what_cannot_train_lanes_is_refused_in_doctors_words(
    data, tmp_path, capsys, monkeypatch, name
):
    monkeypatch.setenv(name, "1")
    said = fails(capsys, sweep_arguments(data, tmp_path / "out"))
    assert f"{name} is set, and nothing can be trained so: " in said
    assert "; unset it" in said
    assert not (tmp_path / "out").exists()


class Nothing:
    def __call__(self) -> list:
        raise AssertionError  # As JAX does where JAX_PLATFORMS=cuda finds no plugin.


def test_every_command_that_computes_says_so_where_nothing_does(
    data, tmp_path, capsys, monkeypatch
):
    model = tmp_path / "model"
    model.mkdir()
    write_bundle(make_model(acoustic=None).bundle, model)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setattr("jax.devices", Nothing())
    sentence = "JAX does not compute: there is no device of the kind 'cuda' here; JAX_PLATFORMS is "
    sentence += "'cuda': unset it, or name"
    for command in (
        sweep_arguments(data, tmp_path / "out"),
        ["predict", str(model), "--text", "good"],
    ):
        assert sentence in fails(capsys, command)


def test_doctor_says_the_same():
    from test_doctor import CPU, done

    for name in ("JAX_DISABLE_JIT", "JAX_DEBUG_NANS"):
        (found,) = [
            each
            for each in machine.devices(done(CPU), None, {name: "True"})
            if each.state == "broken"
        ]
        assert found.what.startswith(f"{name} is set")
