import io

import pytest
from fabricated import fabricate
from rich.console import Console

from dser_jax.cli import main
from dser_jax.report.collection import write_collection
from dser_jax.system.errors import DserError


def test_journals_become_one_page(tmp_path):
    folders = [tmp_path / "runs" / name for name in ("table5", "fig4")]
    for folder in folders:
        fabricate(folder, seeds=3)
    console = Console(file=io.StringIO(), width=100)
    page = write_collection(folders, tmp_path / "all", console, draw=False)
    text = page.read_text("utf-8")
    assert text.count("\n# ") == 0
    assert text.index("## table5") < text.index("## fig4")
    for folder in folders:
        own = (folder / "report" / "report.md").read_text("utf-8")
        table = [line for line in own.splitlines() if line.startswith("|")]
        assert all(line in text for line in table)


def test_pictures_are_found_from_the_page(tmp_path):
    from dser_jax.report.collection import _inner

    text = "# Report\n\n## corpus\n![Curves](<learning_curves.png>)\n"
    inner = _inner(text, tmp_path / "runs" / "a" / "report", tmp_path / "all")
    assert inner.splitlines()[1:] == [
        "### corpus",
        "![Curves](<../runs/a/report/learning_curves.png>)",
    ]


@pytest.mark.parametrize(
    ("flags", "told", "not_told"),
    [([], "needs --out DIR", "--validation"), (["--validation"], "--validation is for", "needs")],
)
def test_what_is_wrong_with_several_is_said_alone(tmp_path, capsys, flags, told, not_told):
    out = ["--out", str(tmp_path / "all")] if flags else []
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path / "a"), str(tmp_path / "b"), *out, *flags])
    said = capsys.readouterr().err
    assert told in said
    assert not_told not in said


def test_names_must_differ(tmp_path):
    with pytest.raises(DserError, match="one name: a, a"):
        write_collection([tmp_path / "x" / "a", tmp_path / "y" / "a"], tmp_path / "all")
