"""What the page on searches shows: successive halving on the curves of trials."""

import numpy as np
from checked.blocks import Followed
from checked.parts import Shown, table

from dser_jax.journal import read_journal
from dser_jax.search import halving, random_search
from dser_jax.search.space import Range, Space

PAGE = "docs/searches.md"
FOLDER = "demo"
STAND_INS: dict[str, str] = {}
LANES = 8
RULES = ((40, None), (40, (4, 3)), (40, (8, 2)), (200, (4, 3)), (200, (8, 2)), (200, None))


def show(page: Followed) -> dict[str, Shown]:
    """Applies each rule to the trials of the search, as if eight were trained at a time."""
    view = read_journal(page.folder / "runs/search")
    trials = sorted(
        (row for row in view.rows if row.get("kind") != "baseline"), key=lambda row: row["seed"]
    )
    curves = [_curve(view, row) for row in trials]
    values = [row["validation"]["ccc"]["mean"] for row in trials]
    lines = []
    for count, rule in RULES:
        epochs, best = search(curves[:count], values[:count], rule)
        how = f"from {rule[0]} epochs on, eta {rule[1]}" if rule else "no"
        lines.append((str(count), how, f"{epochs:,}", f"{best:.3f}".lstrip("0")))
    return {
        "halving": Shown(
            table(("trials", "halving", "epochs trained", "best value"), lines), 0.05, 1.3
        )
    }


def search(
    curves: list[np.ndarray], values: list[float], rule: tuple[int, int] | None
) -> tuple[int, float]:
    """Ends trials by successive halving, eight at a time, on curves that are known.

    Args:
      curves: Of each trial the value after each epoch that it was trained, [epoch].
      values: What each has in the end.
      rule: First rung and eta; None for no halving.

    Returns:
      How many epochs would have been trained, and the best value of the trials that ended well.
    """
    judge = (
        halving(random_search(Space({"patience": Range(1, 9)}), len(curves)), *rule)
        if rule
        else None
    )
    waiting = list(range(len(curves)))
    at = dict.fromkeys(waiting[:LANES], 0)
    del waiting[:LANES]
    epochs, ended = 0, []
    while at:
        epochs += len(at)
        for trial in list(at):
            at[trial] += 1
            over = at[trial] == len(curves[trial])
            rung = judge is not None and at[trial] in judge.rungs and not over
            if over or (
                rung and not judge.keep(trial, at[trial], float(curves[trial][at[trial] - 1]))
            ):
                ended += [values[trial]] if over else []
                del at[trial]
                if waiting:
                    at[waiting.pop(0)] = 0
    return epochs, max(ended)


def _curve(view, row: dict) -> np.ndarray:
    """The mean CCC on validation in the epoch of the lowest loss so far, after each epoch."""
    arrays = view.arrays(row["run"])
    loss = arrays["validation_loss"][: row["epochs"]]
    best = [int(np.argmin(loss[: epoch + 1])) for epoch in range(len(loss))]
    return arrays["validation_ccc"].mean(axis=1)[best]
