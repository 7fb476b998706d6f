"""What README shows of the benchmarks' results and of IEMOCAP, from files that are kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from checked.parts import ROOT, short, table

from dser_jax.stats import paired_t

RESULTS = ROOT / "benchmarks" / "results"
IEMOCAP = ROOT / "docs" / "results" / "iemocap-table6.csv"
PUBLISHED = ROOT / "dser_jax" / "report" / "published" / "table6.csv"
ATTRS = ("valence", "arousal", "dominance", "mean")
WEIGHTINGS = {"none": "no weights", "two": "two weights", "three": "three weights"}


def result(name: str) -> dict[str, Any]:
    """Reads what a benchmark has found."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def on_two_cores() -> str:
    """Says what the benchmarks have measured on two cores."""
    lanes, torch, keras = (
        result(f"{name}-cpu")["found"] for name in ("lanes", "versus_torch", "versus_keras")
    )
    (eight,), (frames,) = (
        [each for each in lanes if each["input"] == name and each["batch"] == 8]
        for name in ("functionals + text", "frames")
    )
    over = {(row["side"], row["lanes"]): row["over_plain"] for row in eight["rows"]}
    sequences = {row["side"]: row["over_plain"] for row in frames["rows"]}
    best = {each["batch"]: each["ours_over_torch"] for each in torch}
    return (
        f"With eight runs at a time a step is {over['keras', 8]:.1f} times as fast as an ordinary "
        "`vmap` over a scan with\npadding fed to the network, as the authors did, and "
        f"{over['masked', 8]:.1f} times with padding skipped, which is the default of\n`strict`. "
        "PyTorch on the same two cores, one run after the other and tuned, "
        f"takes {best[8]['keras']:.1f} and {best[8]['masked']:.1f} times as\nlong; at batch 256, "
        f"{best[256]['keras']:.1f} and {best[256]['masked']:.1f} times; Keras, the authors' way, "
        f"{keras[0]['ours_over_keras']:.1f} times. A row of Table 3 on\nwhole sequences of frames "
        f"is {sequences['masked']:.1f} times as fast as over all its padding."
    )


def on_a_gpu() -> str:
    """Says what the benchmarks have measured on a GPU, with machine, versions, date and commit."""
    lanes, torch = result("lanes-gpu"), result("versus_torch-gpu")
    (part,) = [
        each
        for each in lanes["found"]
        if (each["input"], each["batch"]) == ("functionals + text", 8)
    ]
    rows = {(row["side"], row["lanes"]): row for row in part["rows"]}
    one, twenty, many = (rows["masked", count] for count in (1, 20, 256))
    (against,) = [each for each in torch["found"] if each["batch"] == 8]
    ways = {row.get("step") for row in against["rows"]}
    best = (
        "best" if "graph" in ways else "loop (a CUDA graph, which is faster, was not in that run)"
    )
    alone = rows["plain", 1]["lane_steps_per_second"]
    return (
        f"On one {lanes['machine']['device']} (batch 8, padding skipped; {lanes['date'][:10]}, "
        f"commit {lanes['git_commit'][:7]}, jax {lanes['versions']['jax']},\n"
        f"PyTorch {torch['versions']['torch']}): 256 runs at a time train "
        f"{many['lane_steps_per_second']:,.0f} steps a second, "
        f"{many['lane_steps_per_second'] / alone:.0f} times a plain JAX scan run by run and\n"
        f"{against['ours_over_torch']['masked']:.0f} times PyTorch's {best}. Twenty at a\n"
        f"time train {twenty['lane_steps_per_second']:,.0f}: "
        f"{twenty['lane_steps_per_second'] / one['lane_steps_per_second']:.1f} times one, and "
        f"{twenty['over_plain']:.1f} times a plain `vmap` over twenty."
    )


def scores() -> list[dict[str, str]]:
    """Reads the scores of the runs on IEMOCAP, and of the baselines."""
    return read_csv(IEMOCAP)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Reads a table below lines that begin with `#`."""
    lines = path.read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def iemocap() -> str:
    """Makes Table 6 on the real IEMOCAP: each row beside the paper's."""
    published = {row["weighting"]: row for row in read_csv(PUBLISHED)}
    rows = []
    for protocol in ("paper", "strict"):
        for key, name in WEIGHTINGS.items():
            runs = [r for r in scores() if (r["protocol"], r["name"]) == (protocol, name)]
            by = {
                kind: [np.array([float(run[f"{kind}_{attr}"]) for run in runs]) for attr in ATTRS]
                for kind in ("ccc_batch32", "ccc")
            }
            cells = [f"`{protocol}`, {name} ({len(runs)})"]
            cells += [short(float(each.mean()), 3) for each in by["ccc_batch32"]]
            cells[-1] += f" ± {short(float(by['ccc_batch32'][-1].std(ddof=1)), 3)}"
            paper = float(published[key]["mean"])
            cells.append(short(paper, 3) if protocol == "paper" else "")
            cells.append(short(float(by["ccc"][-1].mean()), 3))
            rows.append(cells)
    head = ("protocol, weights (seeds)", *ATTRS[:3], "mean", "the paper's", "whole set")
    return table(head, rows)


def iemocap_in_words() -> str:
    """Says what the table on IEMOCAP says: the paper's order, and what beats all of it."""
    by = {
        name: {
            run["seed"]: float(run["ccc_batch32_mean"])
            for run in scores()
            if (run["protocol"], run["name"]) == ("paper", name)
        }
        for name in WEIGHTINGS.values()
    }
    none, two, three = by.values()

    def over(better: dict[str, float], worse: dict[str, float]) -> str:
        seeds = sorted(better.keys() & worse.keys())
        test = paired_t([better[s] for s in seeds], [worse[s] for s in seeds])
        assert test.difference is not None
        assert test.t is not None
        return f"by {short(test.difference, 3)} (t = {test.t:.1f}, {test.n} paired seeds)"

    best = {
        row["protocol"]: float(row["ccc_mean"])
        for row in scores()
        if row["name"].startswith("svr (")
    }
    return (
        f"The paper's order comes out under its protocol: two weights over none {over(two, none)},"
        f"\nthree over none {over(three, none)}. On the whole test set the project's\n"
        f"support vector regression, stretched, has {short(best['paper'], 3)} under `paper` and "
        f"{short(best['strict'], 3)} under `strict`: ahead of\nevery network."
    )
