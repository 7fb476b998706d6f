"""All tables and figures in a row: what each took is told, and added up over calls."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEP = """
import sys, time
time.sleep(0.3)
open("told.txt", "a").write(" ".join(sys.argv[1:]) + "\\n")
sys.exit({status})
"""


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """The file, among experiments that only tell what they were called with."""
    spec = importlib.util.spec_from_file_location("paper", ROOT / "experiments/paper.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "__file__", f"{tmp_path / 'paper.py'}")
    monkeypatch.setattr(module, "PARTS", ("table6", "fig4"))
    for name in module.PARTS:
        (tmp_path / f"{name}.py").write_text(STEP.format(status=0))
    (tmp_path / "dser_jax").mkdir()  # instead of the report
    (tmp_path / "dser_jax/cli.py").write_text(STEP.format(status=0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    monkeypatch.setattr(
        sys,
        "argv",
        ["paper.py", "--data", "d", "--out", "o", "--size", "small", "--grid-flags=--points 0 1"],
    )
    return module


def test_what_each_part_took_is_told_and_added_up_over_calls(paper, tmp_path, capfd):
    assert paper.main() == 0
    assert (tmp_path / "told.txt").read_text().splitlines() == [
        "--data d --size small --out o/table6",
        "--data d --size small --points 0 1 --out o/fig4",
        "report o/table6 o/fig4 --out o/report",
    ]
    first = json.loads((tmp_path / "o/clock.json").read_text())
    assert list(first) == ["table6", "fig4", "report"]
    assert min(first.values()) > 0.3
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("table6:", "fig4:", "report:"),
        *("table6", "fig4", "report", "all"),
    ]
    assert paper.main() == 0
    again = json.loads((tmp_path / "o/clock.json").read_text())
    assert all(again[name] > first[name] + 0.3 for name in first)


def test_where_a_part_fails_the_others_wait_and_its_time_is_kept(paper, tmp_path, capfd):
    (tmp_path / "table6.py").write_text(STEP.format(status=4))
    assert paper.main() == 4
    assert len((tmp_path / "told.txt").read_text().splitlines()) == 1
    assert list(json.loads((tmp_path / "o/clock.json").read_text())) == ["table6"]
    assert capfd.readouterr().out.splitlines()[-1].startswith("all")


def test_every_part_is_an_experiment():
    spec = importlib.util.spec_from_file_location("parts", ROOT / "experiments/paper.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert all((ROOT / f"experiments/{name}.py").exists() for name in module.PARTS)
