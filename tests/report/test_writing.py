from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from fabricated import NAMES, fabricate, weight_grid
from rewritten import rewrite_rows
from rich.console import Console

import dser_jax
from dser_jax.journal.intervals import Interval, Resampled, interval_key, write_intervals
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report.text import USUAL, Asked, mean_sd, number, p_value, seeds
from dser_jax.report.writing import write_report
from dser_jax.stats import DERIVED, with_derived
from dser_jax.stats.table import tables
from dser_jax.system.errors import DserError

ROOT = Path(dser_jax.__file__).parents[1]
ONE = dict(list(NAMES.items())[:1])
FILES = ["report.md", "table.csv", "runs.csv", "tests.csv", "table.tex"]


def report(folder, width=80, terminal=False, encoding="utf-8", out=None, draw=False, asked=USUAL):
    """Writes a report; returns what it printed and the files."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(file=stream, width=width, force_terminal=terminal, color_system=None)
    paths = write_report(folder, out, console, draw=draw, asked=asked)
    return raw.getvalue().decode(encoding), paths


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A journal of three names and five seeds, one run diverged, and its report."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    fabricate(folder, diverged=[("text LSTM", 2)], planned=60)
    return folder, *report(folder, draw=True)


def test_the_terminal_shows_every_name_with_mean_deviation_and_interval(whole):
    folder, said, _ = whole
    (table,) = tables(read_journal(folder).rows)
    for row in table.rows:
        for found in row.scores.values():
            assert f"{number(found.mean)} ± {number(found.sd)}" in said
            assert f"[{number(found.low)}, {number(found.high)}]" in said
    assert "text LSTM" in said
    assert re.search(r"glove .* 1 div\.|1 div\.", said)


def test_the_captions_say_what_the_numbers_are(whole):
    said = " ".join(whole[1].split())
    assert "demo, protocol strict, split last session; CCC over the whole test set" in said
    assert "32-row batches" not in said
    assert "14 runs, seeds 0–4; 1 diverged run left out" in said
    assert "95% interval of the mean" in said
    assert "15 of 60 runs finished, 1 of them diverged; the sweep is not complete" in said
    assert "not how they would on other speakers" in said
    assert "best run" not in said


def test_the_best_mean_of_a_column_is_marked(whole):
    folder, said, _ = whole
    (table,) = tables(with_derived(read_journal(folder), []).scored)
    for column in table.columns:
        best = max((row.scores[column] for row in table.usual().everything), key=lambda s: s.mean)
        assert f"*{mean_sd(best)}" in said
    assert said.count("*.") == 4


def test_lines_fit_the_terminal(whole):
    said = whole[1].splitlines()
    tables_ = [line for line in said if not line.startswith(("Next", str(whole[0]), "Written"))]
    tables_ = [line for line in tables_ if " failed: " not in line]
    assert max(map(len, tables_)) <= 80
    assert all("…" not in line for line in tables_)


@pytest.mark.parametrize("width", [80, 160])
def test_a_terminal_is_filled_and_never_cut(tmp_path, width):
    fabricate(tmp_path / "j", seeds=2)
    said, _ = report(tmp_path / "j", width=width, terminal=True)
    long = [line for line in said.splitlines() if len(line) > width]
    assert all(line.startswith("Next, as a page: dser report ") for line in long)
    assert "…" not in said
    assert ("network, features" in said) == (width > 100)


def test_a_pipe_of_plain_ascii_gets_plain_ascii(tmp_path):
    fabricate(tmp_path / "j", {"réseau [1]": ("lstm", "we", (0.3, 0.4, 0.5))}, seeds=3)
    said, _ = report(tmp_path / "j", encoding="ascii")
    assert "r?seau [1]" in said
    assert "+/-" in said


def test_the_paired_tests_are_shown(whole):
    folder, said, _ = whole
    rows = read_journal(folder).rows
    means = {
        name: [row["test"]["ccc"]["mean"] for row in rows if row["name"] == name] for name in NAMES
    }
    first, _, third = NAMES
    want = scipy.stats.ttest_rel(means[first], means[third])
    assert f" {p_value(want.pvalue)} " in said
    assert "'speech LSTM' − 'text LSTM'" in said
    (line,) = [
        entry
        for entry in read_csv(folder / "report/tests.csv")
        if (entry["first"], entry["second"]) == (first, third)
        and (entry["attribute"], entry["metric"]) == ("mean", "ccc")
    ]
    assert float(line["p"]) == pytest.approx(want.pvalue)
    assert line["n"] == "5"


def test_the_signed_rank_tests_are_shown(whole):
    folder, said, _ = whole
    told = " ".join(said.split())
    assert "ranks: p of the signed-rank test, which is never below .062 with 5 pairs" in told
    lines = read_csv(folder / "report/tests.csv")
    rows = read_journal(folder).rows
    pair = list(NAMES)[::2]
    one, two = ([row["test"]["ccc"]["mean"] for row in rows if row["name"] == at] for at in pair)
    (line,) = [
        entry
        for entry in lines
        if [entry["first"], entry["second"]] == pair
        and (entry["attribute"], entry["metric"]) == ("mean", "ccc")
    ]
    want = scipy.stats.wilcoxon(one, two)
    assert float(line["ranks_p"]) == pytest.approx(want.pvalue)
    assert min(float(line["ranks_plus"]), float(line["ranks_minus"])) == want.statistic
    assert line["ranks_note"] == "with 5 pairs no p is below 0.0625"
    assert "p (ranks, Holm)" in (folder / "report/report.md").read_text("utf-8")


def test_intervals_over_test_utterances_are_shown_where_they_are_known(tmp_path):
    fabricate(tmp_path / "j", seeds=1)
    said, _ = report(tmp_path / "j")
    assert "over test utterances" not in said
    rows = read_journal(tmp_path / "j").rows
    entries = {
        interval_key("k", row["name"], [row["run"]]): Resampled(
            row["name"], "utterance", 100, 4000, {"mean": Interval(0.123, 0.876)}
        )
        for row in rows[:2]
    }
    write_intervals(tmp_path / "j", entries)
    said, _ = report(tmp_path / "j")
    told = " ".join(said.split())
    assert said.count("(.123, .876)") == 2
    assert "(95% interval over test utterances)" in told
    assert "Utterances of one speaker, or of one dialogue, are not independent" in told
    assert "<br>(.123, .876)" in (tmp_path / "j/report/report.md").read_text("utf-8")
    table = tmp_path / "j/report/table.tex"
    assert ".876" not in table.read_text("utf-8")
    report(tmp_path / "j", asked=Asked(intervals=True))
    assert r"{\scriptsize (.123, .876)}" in table.read_text("utf-8")
    lines = read_csv(tmp_path / "j/report/table.csv")
    found = [line for line in lines if line["unit"]]
    assert len(found) == 2
    assert {(f["attribute"], f["metric"], f["part"]) for f in found} == {("mean", "ccc", "test")}
    assert (found[0]["unit_low"], found[0]["unit_high"]) == ("0.123", "0.876")


def test_a_search_is_drawn_with_what_was_picked(tmp_path):
    values = [0.1, 0.2, 0.4]
    with Journal.open(tmp_path / "j", {}) as journal:
        for row in weight_grid(2, values):
            journal.commit(row, {})
    _, paths = report(tmp_path / "j", draw=True)
    names = {path.name for path in paths}
    assert {"loss_weights.png", "loss_weights_surface.pdf"} < names
    text = (tmp_path / "j/report/report.md").read_text("utf-8")
    assert "](<loss_weights.png>)" in text
    assert "picked on validation" in text


def test_the_files_are_there(whole):
    folder, _, paths = whole
    names = [path.relative_to(folder / "report").as_posix() for path in paths]
    assert names[:5] == FILES
    assert {
        "result.png",
        "learning_curves.pdf",
        "learning_curves.png",
        "gold_vs_pred/text-lstm.png",
    } < set(names)
    assert len(names) == 5 + 2 * 2 + 2 * 3
    for path in paths:
        assert path.stat().st_size > 100
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")


def test_the_tidy_table_has_every_summary(whole):
    folder = whole[0]
    lines = read_csv(folder / "report/table.csv")
    kinds = ("network", *DERIVED)
    counts = Counter(line["kind"] for line in lines)
    assert counts == dict.fromkeys(kinds, 3 * 4 * 3 * 2)
    header = (
        "name,attribute,metric,part,n,mean,sd,low,high,protocol,split,corpus,truth,diverged,kind,"
        "unit,unit_low,unit_high,failed,pruned,loss,weighting,optimizer"
    )
    assert ",".join(lines[0]) == header
    (table,) = tables(read_journal(folder).rows, "rmse", "validation")
    found = table.rows[1].scores["arousal"]
    (line,) = [
        entry
        for entry in lines
        if (entry["name"], entry["attribute"]) == ("text LSTM", "arousal")
        and (entry["metric"], entry["part"]) == ("rmse", "validation")
    ]
    assert float(line["mean"]) == found.mean
    assert (line["n"], line["diverged"]) == ("4", "1")


def test_the_runs_are_all_there(whole):
    folder = whole[0]
    lines = read_csv(folder / "report/runs.csv")
    rows = read_journal(folder).rows
    assert [line["run"] for line in lines[: len(rows)]] == [row["run"] for row in rows]
    counts = Counter(line["kind"] for line in lines[len(rows) :])
    whole = sum(row["status"] == "ok" for row in rows)
    assert counts == {"stretched": whole, "ensemble": 3, "ensemble, stretched": 3}
    assert float(lines[0]["test_ccc_mean"]) == rows[0]["test"]["ccc"]["mean"]
    assert [line["test_ccc_mean"] for line in lines].count("") == 1


def test_markdown_has_the_tables_and_their_origin(whole):
    text = (whole[0] / "report/report.md").read_text("utf-8")
    assert "# Report: sweep" in text
    assert r"| LSTM + LSTM, two weights \[.7, .2\] |" in text
    assert "4 (1 diverged)" in text
    assert "![Learning curves](<learning_curves.png>)" in text
    assert "command: dser sweep" in text
    for line in text.splitlines():
        if line.startswith("| ---"):
            columns = line.count("|")
    assert columns == 12


def test_each_table_for_latex_has_a_label(tmp_path):
    fabricate(tmp_path / "my_runs", ONE, seeds=3)
    report(tmp_path / "my_runs", asked=Asked(batch32=True))
    text = (tmp_path / "my_runs/report/table.tex").read_text("utf-8")
    assert re.findall(r"\\label\{(.*)\}", text) == ["tab:my-runs", "tab:my-runs-2"]


def test_latex_is_escaped(tmp_path):
    name = r"[1] 50% & a_b #1 {x} \y ~^ $z$"
    fabricate(tmp_path / "j", {name: ("lstm", "we", (0.3, -0.4, 0.5))}, seeds=3)
    report(tmp_path / "j")
    text = (tmp_path / "j/report/table.tex").read_text("utf-8")
    escaped = r"{[1] 50\% \& a\_\allowbreak{}b \#1 \{x\} \textbackslash{}y \textasciitilde{}"
    assert escaped + r"\textasciicircum{} \$z\$} &" in text
    assert "$-$." in text
    assert "seeds 0--2" in text
    assert r"\toprule" in text
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 1


def test_markup_in_names_is_shown_as_it_is(tmp_path):
    name = "[bold]x[/bold] | `y` :smile:"
    fabricate(tmp_path / "j", {name: ("lstm [1]", "we", (0.3, 0.4, 0.5))}, seeds=1)
    said, _ = report(tmp_path / "j", width=160)
    assert name in said
    assert r"\[bold\]x\[/bold\] \| \`y\` :smile:" in (tmp_path / "j/report/report.md").read_text(
        "utf-8"
    )


def test_names_are_neither_obeyed_by_a_terminal_nor_computed_by_a_spreadsheet(tmp_path):
    names = ("=1+1", "@x", "-0.5", "a\x1b[2J")
    levels = dict.fromkeys(names, ("lstm", "+we", (-0.3, 0.4, 0.5)))
    fabricate(tmp_path / "j", levels, seeds=2, corpus="=demo", split="\x1b]0;x\x07")
    said, paths = report(tmp_path / "j", width=160)
    assert "\x1b" not in said
    assert r"a\x1b[2J" in said
    assert r"\x1b]0;x\x07" in said
    for path in paths:
        if path.suffix in (".md", ".tex"):
            assert "\x1b" not in path.read_text("utf-8")
    for file, column in (("table.csv", "name"), ("runs.csv", "name"), ("tests.csv", "first")):
        rows = read_csv(tmp_path / "j/report" / file)
        assert {row[column].split(", ")[0] for row in rows} <= {"'=1+1", "'@x", *names[2:], "'-0.5"}
        assert {row["corpus"] for row in rows} == {"'=demo"}
    assert {row["features"] for row in read_csv(tmp_path / "j/report/runs.csv")} == {"'+we"}
    means = [row["mean"] for row in read_csv(tmp_path / "j/report/table.csv")]
    assert any(float(mean) < 0 for mean in means)


def test_one_run_has_no_spread_and_no_test(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=1)
    said, paths = report(tmp_path / "j")
    assert "1 run, seed 0" in " ".join(said.split())
    scores = read_journal(tmp_path / "j").rows[0]["test"]["ccc"]
    assert re.search(rf"{re.escape(number(scores['mean']))} +1 *\n", said)
    assert "Paired" not in said
    assert [path.name for path in paths] == FILES
    assert read_csv(tmp_path / "j/report/table.csv")[0]["sd"] == ""


def test_attributes_without_labels_are_a_dash(tmp_path):
    fabricate(tmp_path / "j", seeds=2, missing=[2])
    said, _ = report(tmp_path / "j")
    assert re.search(r" – ", said)
    assert "dominance" in said
    for text in (said, (tmp_path / "j/report/report.md").read_text("utf-8")):
        assert " ".join(text.split()).count("no test with fewer than 3 seeds in common") == 1
    attributes = {line["attribute"] for line in read_csv(tmp_path / "j/report/table.csv")}
    assert attributes == {"valence", "arousal", "mean"}


def test_no_runs_is_said(tmp_path):
    Journal.open(tmp_path / "j", {"planned": ["a", "b"]}).close()
    said, paths = report(tmp_path / "j")
    assert "0 of 2 runs finished" in said
    assert "nothing to report" in said
    assert paths == []
    assert not (tmp_path / "j/report").exists()


def test_no_journal_is_an_error(tmp_path):
    with pytest.raises(DserError, match="holds no journal"):
        report(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    fabricate(tmp_path / "j", seeds=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(DserError, match="cannot write"):
        report(tmp_path / "j", out=tmp_path / "file" / "out")


def test_all_diverged_is_shown_and_nothing_is_best(tmp_path):
    name = "speech LSTM"
    fabricate(tmp_path / "j", {name: NAMES[name]}, 2, diverged=[(name, 0), (name, 1)])
    said, paths = report(tmp_path / "j", draw=True)
    assert "2 div." in said
    assert not re.search(r"\*-?\d?\.\d", said)
    assert len(paths) == 5


SPEECH, TEXT, BOTH = NAMES


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """A journal with runs that failed and runs that a search stopped, and its report."""
    folder = tmp_path_factory.mktemp("lossy") / "sweep"
    stopped = {"stopped early": ("lstm", "we", (0.3, 0.4, 0.5))}
    pruned = [(TEXT, 3), *(("stopped early", seed) for seed in range(5))]
    failed = [(TEXT, 0), (TEXT, 1), (BOTH, 4)]
    fabricate(
        folder, NAMES | stopped, diverged=[(SPEECH, 0)], failed=failed, pruned=pruned, planned=20
    )
    speakers = ["s1F"] * 50 + ["s1M"] * 50
    np.savez(folder / "truth/k.marks.npz", test_speaker=np.array(speakers))
    return folder, *report(folder, draw=True)


def test_runs_that_failed_or_were_pruned_are_counted(lossy):
    folder, said, _ = lossy
    told = " ".join(said.split())
    counts = "20 runs finished, 1 of them diverged, 3 of them failed, 6 of them pruned"
    assert f"20 of {counts}" in told
    assert "10 runs, seeds 0–4; 1 diverged, 3 failed, 6 pruned runs left out" in told
    assert "'text LSTM', seed 0 failed: ValueError: no room (and 2 more)" in told
    assert "2 failed" in said
    text = (folder / "report/report.md").read_text("utf-8")
    assert "| 2 (2 failed, 1 pruned) |" in text
    assert "failed: ValueError: no room" in text
    (line,) = [
        entry
        for entry in read_csv(folder / "report/table.csv")
        if (entry["name"], entry["attribute"]) == (TEXT, "mean")
        and (entry["metric"], entry["part"]) == ("ccc", "test")
    ]
    assert [line[key] for key in ("n", "diverged", "failed", "pruned")] == ["2", "0", "2", "1"]


def test_runs_that_failed_or_were_pruned_are_in_no_mean_and_no_test(lossy):
    folder, said, _ = lossy
    assert "stopped early" not in said
    assert "1.000" not in said
    lines = read_csv(folder / "report/tests.csv")
    assert {line["first"] for line in lines} | {line["second"] for line in lines} == set(NAMES)
    pairs = {(line["first"], line["second"]): line["n"] for line in lines}
    assert pairs == {(SPEECH, TEXT): "2", (SPEECH, BOTH): "3", (TEXT, BOTH): "1"}
    runs = read_csv(folder / "report/runs.csv")
    assert [line["kind"] for line in runs].count("network") == 20


def test_what_a_loss_has_no_weight_on_is_not_trained(tmp_path):
    weights = {SPEECH: [0.0, 1.0, 0.0], TEXT: [1.0, 1.0, 1.0]}
    fabricate(tmp_path / "j", weights=weights)
    speakers = np.array(["s1F"] * 50 + ["s1M"] * 50)
    np.savez(tmp_path / "j/truth/k.marks.npz", test_speaker=speakers)
    said, paths = report(tmp_path / "j", draw=True)
    told = " ".join(said.split())
    assert "Not trained: the loss has no weight on that attribute" in told
    folder = tmp_path / "j/report"
    text = (folder / "report.md").read_text("utf-8")
    (line, part, *_) = [each for each in text.splitlines() if each.startswith(f"| {SPEECH} |")]
    cells = [cell.strip() for cell in line.split("|")]
    assert (cells[4], cells[6], cells[7], cells[8]) == ("not trained", "not trained", "", "5")
    assert "±" in cells[5]
    cells = [cell.strip() for cell in part.split("|")]
    assert (cells[4], cells[6], cells[7]) == ("not trained", "not trained", "")
    assert "not trained &" in (folder / "table.tex").read_text("utf-8")
    for name in ("table.csv", "leaks.csv"):
        found = {entry["attribute"] for entry in read_csv(folder / name) if entry["name"] == SPEECH}
        assert found == {"arousal"}
    tested = {
        entry["attribute"]
        for entry in read_csv(folder / "tests.csv")
        if SPEECH in (entry["first"], entry["second"])
    }
    assert tested == {"arousal"}
    runs = [entry for entry in read_csv(folder / "runs.csv") if entry["name"] == SPEECH]
    assert {entry["untrained"] for entry in runs} == {"valence dominance"}
    assert all(entry["test_ccc_valence"] for entry in runs)
    assert {"learning_curves.png", "parts.png", "speech-lstm.png"} < {path.name for path in paths}


def test_a_torn_line_is_said(tmp_path):
    fabricate(tmp_path / "j", seeds=2)
    path = tmp_path / "j/rows.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    said, _ = report(tmp_path / "j")
    assert "rows.jsonl:6: dropped the last line" in said
    assert "5 runs finished" in said
    assert "dropped the last line" in (tmp_path / "j/report/report.md").read_text("utf-8")


def test_damaged_arrays_are_said_and_cost_one_line_of_a_figure(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=2)
    run = read_journal(tmp_path / "j").rows[0]["run"]
    (tmp_path / f"j/arrays/{run}.npz").write_bytes(b"")
    said, paths = report(tmp_path / "j", draw=True)
    assert f"{run}.npz: damaged" in said
    assert said.count(f"{run}.npz: damaged") == 2
    assert "'speech LSTM', seed 0, is in no stretched or ensemble row" in said
    assert len(paths) == 5 + 2 * 2 + 2


def test_truth_that_is_missing_costs_the_scatter_only(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=2)
    (tmp_path / "j/truth/k.npz").unlink()
    said, paths = report(tmp_path / "j", draw=True)
    assert "k.npz: missing" in said
    assert len(paths) == 5 + 2 * 2


def test_without_matplotlib_the_tables_remain(tmp_path, monkeypatch):
    fabricate(tmp_path / "j", seeds=2)
    for module in [name for name in sys.modules if name.startswith("dser_jax.report.figures")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(dser_jax.report, "figures", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said, paths = report(tmp_path / "j", draw=True)
    assert re.search(r"No figures: matplotlib(\.axes)? is not installed", said)
    assert [path.name for path in paths] == FILES


def test_protocols_are_not_mixed(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=3)
    fabricate(tmp_path / "j", ONE, seeds=3, protocol="paper")
    said, paths = report(tmp_path / "j", out=tmp_path / "out", draw=True)
    assert "protocol strict" in said
    assert "protocol paper" in said
    assert "2 tables" in said
    names = {path.name for path in paths}
    assert {"learning_curves.png", "learning_curves_2.png", "speech-lstm_2.png"} < names
    assert all(path.is_relative_to(tmp_path / "out") for path in paths)


def test_different_settings_under_one_name_are_said(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=1)
    fabricate(tmp_path / "j", ONE, seeds=1, hparams={"patience": 3})
    said, _ = report(tmp_path / "j")
    assert "'speech LSTM' joins runs of 2 different settings" in said


def test_many_names_show_the_tests_of_the_best(tmp_path):
    names = {f"point {at}": ("lstm", "we", (0.2 + 0.02 * at, 0.4, 0.5)) for at in range(8)}
    fabricate(tmp_path / "j", names, seeds=3)
    said, _ = report(tmp_path / "j")
    (table,) = tables(read_journal(tmp_path / "j").rows)
    assert said.count(" − 'point") == 7
    assert f"{table.best()!r} −" in said or f"− {table.best()!r}" in said
    assert "all are in tests.csv" in " ".join(said.split())
    assert len(read_csv(tmp_path / "j/report/tests.csv")) == 28 * 4 * 3


def test_validation_is_shown_where_nothing_was_tested(tmp_path):
    fabricate(tmp_path / "j", seeds=2)
    rewrite_rows(
        tmp_path / "j/rows.jsonl",
        lambda row: {"untested" if name == "test" else name: row[name] for name in row},
    )
    said, _ = report(tmp_path / "j")
    assert "CCC over the whole validation set" in said


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (0.5, ".500"),
        (-0.1234, "−.123"),
        (1.0, "1.000"),
        (-0.0001, ".000"),
        (0.9996, "1.000"),
        (None, "–"),
        (10.04, "10.040"),
    ],
)
def test_numbers(value, want):
    assert number(value) == want


def test_seeds_and_p_values():
    assert seeds([3, 1, 2, 1]) == "seeds 1–3"
    assert seeds([0, 5]) == "seeds 0, 5"
    assert seeds(range(0, 40, 2)) == "20 seeds"
    assert seeds([None]) == "seed None"
    assert seeds([]) == "no seed"
    assert (p_value(0.0001), p_value(0.04), p_value(None)) == ("<.001", ".040", "–")


def test_a_report_imports_neither_jax_nor_pyplot(tmp_path):
    fabricate(tmp_path / "j", ONE, seeds=1)
    code = (
        "import sys; from dser_jax.report import write_report;"
        "before = [m for m in ('jax', 'matplotlib', 'scipy') if m in sys.modules];"
        f"write_report({os.fspath(tmp_path / 'j')!r});"
        "after = [m for m in ('jax', 'flax', 'matplotlib.pyplot') if m in sys.modules];"
        "print(before, after, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[] [] True"
