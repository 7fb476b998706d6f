"""What a sweep that watched its gradients says of them, from the runs to the report."""

import io

import numpy as np
import pytest
from rich.console import Console
from sweeping import TINY, prepare_sentences

from dser_jax.cli import main
from dser_jax.journal import JournalView, read_journal
from dser_jax.report.figures import gradient_figure
from dser_jax.report.sections.gradients import gradient_sections, watched_of
from dser_jax.report.writing import write_report
from dser_jax.stats import tables


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    data = prepare_sentences(folder) / "text"
    asked = ["--watch-gradients", "--weighting", "mgda", "--acoustic", "none", "--text", "dense"]
    asked = [*asked, "--no-baselines", "--seeds", "2", "--split", "column"]
    main(["sweep", "--data", str(data), "--out", str(folder / "out"), *asked, *TINY])
    return folder / "out"


def test_the_journal_has_them_epoch_by_epoch(journal):
    view = read_journal(journal)
    for row in view.rows:
        arrays = view.arrays(row["run"])
        for kind in ("cosines", "norms", "shares"):
            assert arrays[f"gradient_{kind}"].shape == (row["epochs"], 3)
        assert np.abs(arrays["gradient_cosines"]).max() <= 1 + 1e-5
        np.testing.assert_allclose(arrays["gradient_shares"].sum(1), 1, atol=1e-4)  # MGDA's.
    problems = []
    seen = watched_of(view, view.rows, problems)
    assert seen["cosines"].shape == (2, 2, 3)
    assert not problems


def test_the_report_says_and_draws_it(journal):
    view = read_journal(journal)
    (section,) = gradient_sections(view, tables(view.rows), [])
    cosines = np.array([view.arrays(row["run"])["gradient_cosines"] for row in view.rows])
    shown = [cell.replace("−", "-") for cell in section.lines[0][1:4]]
    np.testing.assert_allclose([float(x) for x in shown], cosines.mean((0, 1)), atol=5e-4)
    assert section.lines[0][4] == f"{(cosines < 0).mean():.0%}"
    stream = io.StringIO()
    write_report(journal, None, Console(file=stream, width=80))
    assert "Do the tasks' gradients conflict?" in stream.getvalue()
    assert (journal / "report" / "gradients.png").stat().st_size > 10_000


def test_a_task_without_a_gradient_has_no_angle_to_others(journal, monkeypatch, tmp_path):
    view, read = read_journal(journal), JournalView.arrays

    def of_two(self, run):
        arrays = dict(read(self, run))
        cosines = [[-0.5, 0, 0], [0.25, 0, 0]]
        return {**arrays, "gradient_cosines": cosines, "gradient_norms": [[2, 1, 0], [2, 3, 0]]}

    monkeypatch.setattr(JournalView, "arrays", of_two)
    (section,) = gradient_sections(view, tables(view.rows), [])
    assert section.lines[0][1:5] == ("−.125", "–", "–", "50%")
    assert gradient_figure(view, tables(view.rows)[0], tmp_path / "two")


def test_runs_that_did_not_watch_have_nothing_to_say(journal, tmp_path):
    view = read_journal(journal)
    rows = [{**row, "status": "diverged"} for row in view.rows]
    assert watched_of(view, rows, []) is None
    assert gradient_sections(view, [], []) == []
    assert gradient_figure(view, tables(rows)[0], tmp_path / "none") == []
