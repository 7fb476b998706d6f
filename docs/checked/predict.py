"""What the page on prediction shows: a table, what an ensemble is worth, what its spread tells."""

import csv
import shutil

import numpy as np
from checked.blocks import Followed
from checked.parts import Shown, fenced, short, table
from scipy.stats import pearsonr

from dser_jax import load
from dser_jax.data import load_prepared
from dser_jax.journal import read_journal
from dser_jax.training.metrics import ccc

PAGE = "docs/predict.md"
FOLDER = "demo"
STAND_INS: dict[str, str] = {}
DRAWN, SIZE = 1000, 5


def ready(folder) -> None:
    """Puts four recordings of the test set with their words into a folder, and lists them."""
    recordings = folder / "recordings"
    recordings.mkdir(exist_ok=True)
    utterances = load_prepared(folder / "runs/demo").utterances[-200::50]
    for number, utt in enumerate(utterances, 1):
        shutil.copy(utt.file, recordings / f"{number}.wav")
        (recordings / f"{number}.txt").write_text(utt.transcript, "utf-8")
    with (folder / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        calls = csv.writer(file)
        calls.writerow(["path", "transcript"])
        calls.writerows([f"recordings/{n}.wav", u.transcript] for n, u in enumerate(utterances, 1))


def show(page: Followed) -> dict[str, Shown]:
    """Scores the networks of the model alone, together, and in ensembles of five."""
    view = read_journal(page.folder / "runs/weights")
    model = load(page.folder / "model")
    runs = [member.run for member in model.bundle.members]
    gold = view.truth(view.rows[0]["truth"])["test_gold"]
    members = np.stack([view.arrays(run)["test_pred"] for run in runs])
    alone = np.stack([scored(member, gold) for member in members])
    together = scored(members.mean(0), gold)
    median = alone[np.argsort(alone[:, -1])[len(alone) // 2]]
    random = np.random.default_rng(0)
    wins = 0
    for _ in range(DRAWN):
        drawn = random.choice(len(members), SIZE, replace=False)
        wins += scored(members[drawn].mean(0), gold)[-1] >= np.median(alone[drawn, -1])
    prepared = load_prepared(page.folder / "runs/demo")
    speech = prepared.feature("gemaps_hsf")[0]
    test = set(view.truth(view.rows[0]["truth"])["test_ids"])
    rows = [speech[row][None] for row, utt in enumerate(prepared.utterances) if utt.id in test]
    far = np.mean([each > 1 for each in model.far(rows)])
    assert together[-1] > median[-1], "the page says that an ensemble is better than its networks"
    return {
        "table": Shown(fenced(page.said("recordings/\n").splitlines()), 0.4),
        "ensemble": Shown(
            table(
                ("CCC", "valence", "arousal", "dominance", "mean"),
                [
                    (f"mean of {len(members)} networks", *(short(x, 3) for x in together)),
                    ("median network", *(short(x, 3) for x in median)),
                ],
            ),
            0.03,
        ),
        "best": Shown(short(alone[:, -1].max(), 3), 0.03),
        "wins": Shown(f"{wins / DRAWN:.0%}", times=1.05),
        "far": Shown("fewer than 5%" if far < 0.05 else f"{far:.0%}"),
        "spread": Shown(spread(members, gold), 0.12),
    }


def scored(pred: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Returns the CCC of each attribute, and their mean."""
    each = [ccc(pred[:, attr], gold[:, attr]) for attr in range(gold.shape[1])]
    return np.array([*each, np.mean(each)])


def spread(members: np.ndarray, gold: np.ndarray) -> str:
    """Says how the deviation of the networks goes with the error of their mean."""
    deviation = members.std(0)
    error = np.abs(members.mean(0) - gold)
    r = [pearsonr(deviation[:, attr], error[:, attr]).statistic for attr in range(gold.shape[1])]
    assert np.abs(r).max() < 0.35, f"the page says that it tells little, but r is {r}"
    least = np.tanh(1.96 / np.sqrt(len(gold) - 3))
    sizes = deviation.mean(0)
    errors = np.sqrt((error**2).mean(0))
    return (
        f"Over the {len(gold)} test utterances the spread of {len(members)} networks correlates "
        "with the absolute error of their\n"
        f"mean by r = {short(r[0])} for valence, {short(r[1])} for arousal and {short(r[2])} for "
        f"dominance (less than {short(least)} is nothing, p > .05).\nIt is also small beside the "
        f"error: {short(sizes[0])}, {short(sizes[1])} and {short(sizes[2])} on average, "
        "on [-1, 1], against root mean square\n"
        f"errors of {short(errors[0])}, {short(errors[1])} and {short(errors[2])}."
    )
