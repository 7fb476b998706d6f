"""What README shows: tables and time of `make demo`, an example's output, speed, IEMOCAP."""

import re
from pathlib import Path

from checked.blocks import Followed
from checked.measured import iemocap, iemocap_in_words, on_a_gpu, on_two_cores
from checked.parts import ROOT, Shown, fenced, table

PAGE = "README.md"
FOLDER = "readme"
STAND_INS = {
    "make demo ": f"make -C {ROOT} DEMO=$PWD/demo demo ",
    "make test ": "true ",
    'pip install ".[demo]"': "true",
    "IEMOCAP_full_release": "demo/corpus",
    "glove.840B.300d.txt": "glove.txt",
    "--vectors glove --weights none": "--vectors glove --seeds 2 --max-epochs 3 --weights none",
    "recordings/ --asr": "demo/corpus/Session1/sentences/wav/Ses01F_impro01 --asr",
}
ATTRS = ("valence", "arousal", "dominance", "mean")


def ready(folder: Path) -> None:
    """Writes word vectors of 300 numbers, as GloVe's files are."""
    words = ["I", "the", "a", "is", "was", "you", "it", "and", "of", "to"]
    lines = [
        " ".join([word, *(f"{(n * 7 + k) % 13 / 13:.2f}" for k in range(300))])
        for n, word in enumerate(words)
    ]
    (folder / "glove.txt").write_text("\n".join(lines) + "\n", "utf-8")


def show(page: Followed) -> dict[str, Shown]:
    """Reads the reports of the demo and the benchmarks' results."""
    return {
        "modalities": Shown(rows(page.folder / "demo/modalities/report/report.md"), 0.04),
        "table6": Shown(rows(page.folder / "demo/table6/report/report.md", baseline=False), 0.04),
        "beyond": Shown(rows(page.folder / "demo/beyond/report/report.md"), 0.04),
        "minutes": Shown(f"{page.seconds[page.block('make demo')] / 60:.0f}", times=3),
        "python": Shown(fenced(page.said("from dser_jax import Config").splitlines()[-8:]), 0.1),
        "speed": Shown(on_two_cores()),
        "gpu": Shown(on_a_gpu()),
        "iemocap": Shown(iemocap()),
        "iemocap_in_words": Shown(iemocap_in_words()),
    }


def rows(report: Path, *, baseline: bool = True) -> str:
    """Returns the scores of a report's first table, without its intervals."""
    lines = [
        line.split(" | ")
        for line in report.read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    head = next(n for n, line in enumerate(lines) if line[0] == "| name")
    columns = [lines[head].index(attr) for attr in ATTRS]
    found = []
    for cells in lines[head + 2 :]:
        if cells[0] == "| *best baseline*":
            last = lines[lines.index(cells) + 1]
            if baseline:
                found.append([f"*{_plain(last[0])}*", *(_plain(last[at]) for at in columns)])
            break
        found.append([_plain(cells[0]), *(_plain(cells[at]) for at in columns)])
    return table(("", *ATTRS), found)


def _plain(cell: str) -> str:
    """A cell without intervals, emphasis and escapes."""
    return re.sub(r"[*\\]", "", cell.removeprefix("| ").split("<br>")[0])
