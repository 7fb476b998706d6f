"""What the page on sharing shows: how exactly a model gives again what its runs predicted."""

import re
import shutil
from pathlib import Path

import numpy as np
from checked.blocks import Followed
from checked.parts import Shown

from dser_jax import load
from dser_jax.corpora.demo import load_demo
from dser_jax.data import load_prepared
from dser_jax.journal import read_journal

PAGE = "docs/share.md"
FOLDER = "demo"
STAND_INS: dict[str, str] = {}


def ready(folder: Path) -> None:
    """Records a sentence, in a voice of the demo corpus."""
    (spoken, *_) = load_demo(folder / "voices", utterances=40).utterances
    shutil.copy(spoken.file, folder / "hello.wav")


def show(page: Followed) -> dict[str, Shown]:
    """Predicts the test set again from its recordings, and holds it against the journal."""
    model = load(page.folder / "model")
    view = read_journal(page.folder / "runs/weights")
    runs = [member.run for member in model.bundle.members]
    truth = view.truth(view.rows[0]["truth"])
    known = {utt.id: utt for utt in load_prepared(page.folder / "runs/demo").utterances}
    test = [known[str(name)] for name in truth["test_ids"]]
    again = model([utt.file for utt in test], [utt.transcript for utt in test])
    kept = np.mean([view.arrays(run)["test_pred"] for run in runs], axis=0)
    away = float(np.abs(again.pred - kept).max())
    numbers = re.findall(r"-?\d+\.\d*(?:e-?\d+)?", page.said("jax.export.deserialize"))
    hello = model(page.folder / "hello.wav", "how nice to see you")
    without = np.abs(np.array(numbers, float) - hello.members[0]).max()
    return {
        "count": Shown(str(len(test))),
        "away": within(away),
        "without": within(float(without)),
    }


def within(away: float) -> Shown:
    """Shows the bound that holds on any machine, or by how much it does not."""
    return Shown("10⁻⁵" if away < 1e-5 else f"{away}")
