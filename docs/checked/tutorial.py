"""What the tutorial shows."""

from checked.blocks import Followed
from checked.parts import Shown, fenced

PAGE = "docs/tutorial.md"
FOLDER = "tutorial"
STAND_INS: dict[str, str] = {}


def show(page: Followed) -> dict[str, Shown]:
    """Returns how preparing ends, how the report begins, and the scores that Python reads."""
    prepared = page.said("--corpus table").splitlines()
    report, _, _ = page.said("dser report runs/first").partition("\n\nPaired")
    means = page.said('["test_ccc_mean"]').splitlines()
    return {
        "prepared": Shown(fenced(prepared[-2:])),
        "report": Shown(fenced(report.splitlines()), within=0.1),
        "means": Shown(fenced(means), within=0.1),
    }
