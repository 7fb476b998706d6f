"""What more inputs are worth to baselines, over the same test utterances."""

import numpy as np
import pytest
from fabricated import fabricate, predict

from dser_jax.journal.journal import Journal
from dser_jax.journal.reading import read_journal
from dser_jax.plan import run_id
from dser_jax.report.sections.gains import gain_sections
from dser_jax.stats import tables
from dser_jax.training.metrics import ccc, scores

LEVELS = {
    "ridge (speech + text), stretched": 0.5,
    "ridge (speech + text + context), stretched": 0.75,
    "ridge (speech + text + context)": 0.6,
    "ridge (speech), stretched": 0.4,
    "ridge (speech + context), stretched": 0.5,
    "ridge (speech by speaker + text + context), stretched": 0.8,
    "svr (speech + text + same-speaker context), stretched": 0.5,
}


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gains") / "journal"
    fabricate(folder, seeds=3)
    truth = read_journal(folder).truth("k")
    gold, validation = truth["test_gold"], truth["validation_gold"]
    random = np.random.default_rng(1)
    with Journal.open(folder, {}, must_match=()) as journal:
        for name, level in LEVELS.items():
            arrays = {
                "validation_pred": predict(validation, [level] * 3, random).astype(np.float32),
                "test_pred": predict(gold, [level] * 3, random).astype(np.float32),
            }
            row = {"name": name, "kind": "baseline", "network": name.split()[0], "seed": 0}
            row |= {"features": "x", "corpus": "demo", "protocol": "strict", "truth": "k"}
            row |= {"split": "last session", "config": {}, "hparams": {}, "status": "ok"}
            row["validation"] = scores(validation, arrays["validation_pred"])
            row["test"] = scores(gold, arrays["test_pred"])
            journal.commit({"run": run_id(row), **row}, arrays)
    return read_journal(folder)


def test_what_is_added_is_held_against_the_row_that_lacks_it(view):
    problems = []
    (section,) = gain_sections(view, tables(view.rows), problems)
    assert not problems
    # Those that see most, stretched, of which there is one without: one by context, one by speaker.
    assert [line[0] for line in section.lines] == [
        "ridge (speech + text), stretched: with context",
        "ridge (speech + text + context), stretched: measured by speaker",
    ]
    rows = {row["name"]: row for row in view.rows}
    gold = view.truth("k")["test_gold"]
    one, two = (
        view.arrays(rows[name]["run"])["test_pred"]
        for name in (
            "ridge (speech + text + context), stretched",
            "ridge (speech + text), stretched",
        )
    )
    apart = ccc(gold[:, 0], one[:, 0]) - ccc(gold[:, 0], two[:, 0])
    value, interval = section.lines[0][2].split("\n")
    assert value == f"+{apart:.3f}".replace("0.", ".")
    low, high = (float(end) for end in interval.strip("()").replace("−", "-").split(","))
    assert low < apart < high
    assert "100 test utterances" in section.told[0] or "100 utterances" in section.told[0]


def test_without_such_baselines_there_is_no_section(tmp_path):
    fabricate(tmp_path / "j", seeds=2)
    view = read_journal(tmp_path / "j")
    assert gain_sections(view, tables(view.rows), []) == []
