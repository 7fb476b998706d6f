"""What a report begins with, and what it says beside its numbers."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from fabricated import NAMES, fabricate
from held_against import add_baselines
from rewritten import rewrite, rewrite_rows
from rich.console import Console

from dser_jax.cli import main
from dser_jax.journal.intervals import Difference, Interval, interval_key, write_intervals
from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.report.answer import _same_command, answer, judged
from dser_jax.report.captions import verdict
from dser_jax.report.text import Asked
from dser_jax.report.writing import write_report
from dser_jax.stats.derived.view import with_derived
from dser_jax.stats.resampling import LEAST_LABELS
from dser_jax.stats.table import tables
from dser_jax.system.files.lock import FolderLock

SPEECH, TEXT, BOTH = NAMES


def answered(folder, *, page=False):
    problems = []
    view = with_derived(read_journal(folder), problems)
    groups = judged(view, tables(view.scored))
    return answer(view, groups, problems, page=page), problems


def said(folder, *, draw=False, width=100, **asked):
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    write_report(folder, None, console, draw=draw, asked=Asked(**asked))
    return stream.getvalue()


@pytest.fixture
def journal(tmp_path):
    fabricate(tmp_path / "j", seeds=3)
    add_baselines(tmp_path / "j")
    return tmp_path / "j"


def with_interval(folder, low, high):
    """Writes a difference as if it had been computed."""
    (table,) = tables(with_derived(read_journal(folder), []).scored)
    both = [table.picked, table.yardstick]
    keys = [interval_key("k", row.name, row.finished) for row in both]
    names = [row.name for row in both]
    found = Difference(*names, "speaker", 12, 4000, {"mean": Interval(low, high)})
    write_intervals(folder, {}, {(keys[0], keys[1]): found})


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [((0.01, 0.2), "ahead of"), ((-0.2, -0.01), "behind"), ((-0.1, 0.3), "level with")],
)
def test_the_verdict_is_that_of_the_interval(journal, ends, verdict):
    with_interval(journal, *ends)
    found, _ = answered(journal)
    first, second = found.lines
    assert f"of '{BOTH}, ensemble of 3, stretched' against" in first
    assert "of the baseline 'ridge'; both picked on validation" in first
    assert f"over 12 test speakers: {verdict} the baseline" in second


def test_the_report_begins_with_it(journal):
    lines = said(journal, width=160).splitlines()
    found, _ = answered(journal)
    assert lines[:3] == [*found.lines, f"Next, as a page: dser report {journal} --html"]
    text = (journal / "report/report.md").read_text("utf-8").split("\n\n")
    assert text[1].startswith("**Mean test CCC ")
    assert text[2].startswith("**Difference ")
    assert text[4] == f"```sh\ndser report {journal} --html\n```"
    main(["report", str(journal), "--html"])
    page = (journal / "report/report.html").read_text("utf-8")
    assert page.index("Mean test CCC ") < page.index(second := "Difference ") < page.index("<nav")
    assert found.lines[1].split(",")[0] in page
    assert second


def test_a_command_is_never_broken(journal):
    target = journal.parent / ("a folder with a long name " * 4).strip()
    journal.rename(target)
    assert f"dser report '{target}' --html\n" in said(target, width=60)


def test_an_interval_that_is_not_on_disk_is_computed_or_said_to_be_missing(journal):
    found, problems = answered(journal)
    assert "95% interval (" in found.lines[1]
    assert "over 100 test utterances" in found.lines[1]
    assert problems == []
    shutil.rmtree(journal / "arrays")
    found, problems = answered(journal)
    assert "no interval: its labels or predictions cannot be read, see below" in found.lines[1]
    assert "9 runs are in no stretched or ensemble row" in problems[0]
    assert "no interval for the difference" in problems[1]


def test_why_there_is_no_interval_is_said(journal):
    """Few labels of an attribute, labels that are lost, predictions that are of something else."""
    (table,) = tables(read_journal(journal).rows)
    path = journal / f"truth/{table.truth}.npz"
    with np.load(path) as kept:
        truth = dict(kept)
    truth["test_gold"][7:, 1] = np.nan
    np.savez(path, **truth)
    second = answered(journal)[0].lines[1]
    assert second.endswith(
        "; no interval: the test set has few labels, 7 of arousal; 10 are needed."
    )
    np.savez(path, **{name: each for name, each in truth.items() if name != "test_gold"})
    second = answered(journal)[0].lines[1]
    assert second.endswith("; no interval: the labels of the test set are not on disk.")
    np.savez(path, **truth | {"test_gold": np.zeros((3 * LEAST_LABELS, 3))})
    assert "; no interval: a run has no predictions for this test" in answered(journal)[0].lines[1]


def test_nothing_beats_a_baseline_on_few_labels(journal):
    """Where the first lines say that there is no interval, the sentence below has no verdict."""
    rewrite_rows(
        journal / "rows.jsonl",
        lambda row: row | ({"test": worse(row["test"])} if row["name"] == "ridge" else {}),
    )
    assert " beat 'ridge' (" in " ".join(said(journal).split())
    path = journal / "truth/k.npz"
    with np.load(path) as kept:
        truth = dict(kept)
    truth["test_gold"][9:] = np.nan
    np.savez(path, **truth)
    text = " ".join(said(journal).split())
    assert "no interval: the test set has few labels, 9 of valence" in text
    assert " beat " not in text
    assert "have a higher mean than 'ridge' (" in text
    assert ", but the test set has few labels." in text


def worse(scores):
    return {metric: dict.fromkeys(of, 0.1) for metric, of in scores.items()}


def test_what_prints_alike_is_not_higher(journal):
    (table,) = judged(read_journal(journal), tables(read_journal(journal).rows))
    base = table.yardstick
    bar = base.scores["mean"].mean
    level = replace(table.rows[0].scores["mean"], mean=bar + 1e-6, low=None)
    row = replace(table.rows[0], scores={"mean": level})
    told = verdict(replace(table, rows=(row,)))
    assert told.startswith(f"{SPEECH!r} does not beat {base.name!r}: ")


def test_what_is_next_stands_near_the_top_however_many_tables_there_are(tmp_path):
    for number in range(5):
        fabricate(tmp_path, {SPEECH: NAMES[SPEECH]}, seeds=2, split=f"session S{number}")
    found, _ = answered(tmp_path)
    assert len(found.lines) == 7
    assert found.lines[-1] == "2 more tables: see below."
    lines = said(tmp_path, width=80).splitlines()
    (at,) = [at for at, line in enumerate(lines) if line.startswith("Next, ")]
    assert at < 24


def test_without_baselines_or_rows_it_says_so(tmp_path):
    fabricate(tmp_path / "one", {SPEECH: NAMES[SPEECH]}, seeds=2)
    found, _ = answered(tmp_path / "one")
    assert found.lines[0].endswith(
        f"of '{SPEECH}, ensemble of 2, stretched', picked on validation."
    )
    assert found.lines[1] == "There is no baseline to hold it against."
    add_baselines(tmp_path / "one")
    assert "both picked on validation" in answered(tmp_path / "one")[0].lines[0]
    shutil.rmtree(tmp_path / "one/arrays")
    (tmp_path / "one/arrays").mkdir()
    found, problems = answered(tmp_path / "one")
    assert f"of {SPEECH!r} against" in found.lines[0]
    assert "there is no other row" in found.lines[0]
    assert "'speech LSTM', seed 0, is in no stretched or ensemble row" in " ".join(problems)
    Journal.open(tmp_path / "none", {"planned": ["a", "b"], "command": "dser sweep --x"}).close()
    found, _ = answered(tmp_path / "none")
    assert "No run has finished yet" in found.lines[0]
    assert found.why == "Next, for the 2 runs still to come, the same command again:"
    assert found.command == "dser sweep --x"
    lost = [(SPEECH, 0), (SPEECH, 1)]
    fabricate(tmp_path / "lost", {SPEECH: NAMES[SPEECH]}, seeds=2, diverged=lost)
    assert answered(tmp_path / "lost")[0].lines[0].startswith("No network has a mean CCC")


def test_the_next_command_is_what_can_be_done(journal, tmp_path):
    found, _ = answered(journal, page=True)
    row = "--row 'LSTM + LSTM, two weights [.7, .2]'"
    model = f"{journal}-model"
    want = f"dser export {journal} --ensemble --stretch {row} --retrain --out {model}"
    assert found.command == want
    for run in tables(read_journal(journal).rows)[0].picked.finished:
        (journal / "params" / run).mkdir(parents=True)
    assert "--retrain" not in answered(journal, page=True)[0].command
    lock = FolderLock(journal)
    try:
        assert answered(journal)[0].command == f"dser watch {journal}"
    finally:
        lock.close()


def test_a_lost_baseline_leaves_no_verdict(journal):
    runs = ["ridge-0", "svr-0"]
    with Journal.open(journal, read_journal(journal).manifest) as opened:
        opened.note({"baselines": runs})
    assert "against" in answered(journal)[0].lines[0]
    path = journal / "rows.jsonl"
    rows = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(row for row in rows if "ridge" not in row), "utf-8")
    found, _ = answered(journal)
    lost, mean, none = found.lines
    assert lost == "1 of 2 baselines is missing: the same command fits it again."
    assert mean.endswith(f"of '{BOTH}, ensemble of 3, stretched', picked on validation.")
    assert none == "There is no verdict before all baselines are there."
    assert found.why.startswith("Next, for the 1 baseline still to come, the same command again")
    text = said(journal, width=160)
    assert text.startswith(lost)
    assert "beat svr" not in text
    assert "Of the baselines" not in text
    main(["report", str(journal), "--html"])
    page = (journal / "report/report.html").read_text("utf-8")
    assert lost in page
    assert "Of the baselines" not in page


def test_the_other_baselines_are_shown_on_request(journal):
    text = said(journal)
    counts = "1 more baseline and 6 more stretched or ensemble rows"
    assert f"{counts}: --all shows them" in " ".join(text.split())
    assert "text LSTM, ensemble" not in text
    assert "svr" not in text
    assert "| svr |" not in (journal / "report/report.md").read_text("utf-8")
    assert "svr" in (journal / "report/table.csv").read_text("utf-8")
    assert "svr" in said(journal, everything=True)
    assert "| svr |" in (journal / "report/report.md").read_text("utf-8")


def test_scores_over_batches_are_shown_under_paper_and_on_request(tmp_path):
    for protocol, shown in (("strict", 0), ("paper", 1)):
        fabricate(tmp_path / protocol, seeds=1, protocol=protocol)
        assert " ".join(said(tmp_path / protocol).split()).count("32-row batches") == shown
    assert "32-row batches" in " ".join(said(tmp_path / "strict", batch32=True).split())


def test_what_is_amiss_is_a_line_each(tmp_path):
    folder = tmp_path / "j"
    fabricate(folder, seeds=1, weights={TEXT: [0.9, 0.9, -0.8]})
    assert "loss weight" in (text := said(folder))
    assert f"a loss weight below zero, which rewards being wrong: {TEXT!r} (dominance)" in " ".join(
        text.split()
    )
    assert "leaks" not in text
    assert "not trained:" not in text
    rewrite(folder / "manifest.json", skipped=["'x': not trained: no vectors glove"])
    names = ("transcript", "speaker", "recording")
    marks = {f"test_seen_{name}": np.zeros(100, bool) for name in names}
    marks["test_seen_transcript"][:7] = True
    np.savez(folder / "truth/k.marks.npz", test_speaker=np.array(["a"] * 100), **marks)
    text = " ".join(said(folder).split())
    assert "'x': not trained: no vectors glove" in text
    assert "leaks: 7 of 100 test utterances (7.0%) have a transcript" in text


def test_a_baseline_at_the_edge_of_its_grid_is_said(journal):
    def picks(**chosen):
        def rewritten(row):
            grid = {"hparams": {"alpha": [0.01, 1.0, 30.0], "rows": 10}, "chosen": chosen}
            return row | grid if row["name"] == "ridge" else row

        rewrite_rows(journal / "rows.jsonl", rewritten)
        return " ".join(said(journal).split())

    assert "edge of its grid" not in picks(valence=1.0, arousal=1.0)
    assert (
        "at the edge of its grid: the penalty of 'ridge', 30 for arousal, 0.01 for dominance, "
        "of 0.01 to 30; one beyond may be better"
    ) in picks(valence=1.0, arousal=30.0, dominance=0.01)


def test_a_name_with_a_sign_or_a_comma_is_quoted_in_sentences(tmp_path):
    names = {"paper": NAMES[SPEECH], "+ context": NAMES[BOTH]}
    fabricate(tmp_path / "j", names, seeds=3)
    add_baselines(tmp_path / "j", (("ridge (speech), stretched", 0.9, 0.3),))
    text = " ".join(said(tmp_path / "j").split())
    assert "of the baseline 'ridge (speech), stretched'; both picked" in text
    assert "and '+ context' (.668) beat 'ridge (speech), stretched' (" in text
    assert "'paper' − '+ context'" in text
    markdown = (tmp_path / "j/report/report.md").read_text("utf-8")
    assert "and '+ context' (.668) beat 'ridge (speech), stretched' (" in markdown
    tex = (tmp_path / "j/report/table.tex").read_text("utf-8")
    assert r"and '+\allowbreak{} context' (.668) beat 'ridge (speech), stretched' (" in tex


def test_a_row_with_a_weight_below_zero_is_not_picked(tmp_path):
    fabricate(tmp_path / "j", seeds=2, weights={BOTH: [0.9, 0.9, -0.8]})
    (table,) = tables(with_derived(read_journal(tmp_path / "j"), []).scored)
    assert table.picked.of != BOTH
    fabricate(tmp_path / "k", {BOTH: NAMES[BOTH]}, 2, weights={BOTH: [0.9, 0.9, -0.8]})
    (table,) = tables(with_derived(read_journal(tmp_path / "k"), []).scored)
    assert table.picked.of == BOTH


def test_the_tables_for_latex_are_typeset(journal, tmp_path):
    program = next((p for n in ("tectonic", "pdflatex") if (p := shutil.which(n))), None)
    if program is None:
        pytest.skip("no TeX here: neither tectonic nor pdflatex")
    said(journal, everything=True, batch32=True, intervals=True)
    tables_ = (journal / "report/table.tex").read_text("utf-8")
    paper = r"\documentclass[twocolumn]{article}\usepackage{array,booktabs}\begin{document}"
    (tmp_path / "paper.tex").write_text(f"{paper}\n{tables_}\n\\end{{document}}\n", "utf-8")
    more = ["-interaction=nonstopmode", "-halt-on-error"] if program.endswith("pdflatex") else []
    done = subprocess.run(
        [program, *more, "paper.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("/a/dser sweep --config c --out b", "dser sweep {0}"),
        ("dser sweep --data p --out b --yes", "dser sweep {0} --yes"),
        ("x/fig3.py --data p --out b", "python x/fig3.py --data p --out b"),
    ],
)
def test_a_sweep_goes_on_where_its_folder_is_now(tmp_path, command, again):
    folder = tmp_path / "moved"
    Journal.open(folder, {"planned": ["a"], "command": command, "data": "p"}).close()
    (folder / "sweep.toml").write_text('data = "p"\n')
    flags = f"--config {folder}/sweep.toml --data p --out {folder}"
    assert answered(folder)[0].command == again.format(flags)


def test_a_stranger_s_command_is_nothing_that_a_shell_obeys(tmp_path):
    for command, shown in (
        ("dser sweep --out x; rm -rf y", "dser sweep --out 'x;' rm -rf y"),
        ("dser sweep $(reboot)", "dser sweep '$(reboot)'"),
        ("a;b.py --x", "python 'a;b.py' --x"),
        ("dser sweep 'unclosed", ""),
        ("", ""),
    ):
        assert _same_command(command) == shown
