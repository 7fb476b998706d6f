"""The page on the networks: its numbers are those of the code, and its tests exist.

Run as a program, this writes the page's tables anew.
"""

import ast
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from dser_jax.config import Config
from dser_jax.models.network import Batch, Rates
from dser_jax.models.table import MODELS, make_network

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "networks.md"
SHAPES = {
    "gemaps_hsf": (1, 46),
    "paa_hsf": (1, 68),
    "gemaps_lld": (3409, 23),
    "paa_lld": (3411, 34),
}
WORDS, DIM = 3438, 300
TABLE_5 = ("lstm lstm", "lstm cnn", "cnn lstm", "cnn cnn", "lstm dense", "cnn dense")
TABLE_5 += ("dense lstm", "dense cnn")
PRINTED = {"1,387,403", "1,348,613"}


def count(acoustic: str | None, text: str | None, shape: tuple[int, int] = (1, 68)) -> str:
    """Counts trainable parameters at the paper's sizes, without making any."""
    config = Config(acoustic=acoustic, text=text)
    network = make_network(config, WORDS, DIM)

    def init(key):
        batch = Batch(
            jnp.zeros((1, *shape)) if acoustic else None,
            jnp.zeros((1, config.max_tokens), jnp.int32) if text else None,
            jnp.ones(1, bool),
        )
        return network.init(key, batch, Rates(*[jnp.float32(0.0)] * 3), False)["params"]

    params = jax.eval_shape(init, jax.random.key(0))
    number = f"{sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params)):,}"
    printed = number in PRINTED and text is None
    return f"**{number}**" if printed else number


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables() -> dict[str, str]:
    """Makes the page's tables by the names of their marks."""
    shapes = SHAPES.values()
    speech = [[name, *(count(name, None, s) for s in shapes)] for name in MODELS["acoustic"]]
    text = [[name, count(None, name)] for name in MODELS["text"]]
    pairs = [[pair.replace(" ", " + "), count(*pair.split())] for pair in TABLE_5]
    shown = [f"{name} ({steps} x {width})" for name, (steps, width) in SHAPES.items()]
    return {
        "speech": table(["speech", *shown], speech),
        "text": table(["text", "parameters"], text),
        "pairs": table(["speech + text", "parameters"], pairs),
    }


def marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)


def rewritten(page: str) -> str:
    """Puts the computed tables between their marks."""
    for name, text in tables().items():
        page, found = marked(name).subn(rf"\g<1>{text}\n\g<2>", page)
        assert found == 1, name
    return page


def test_the_counts_are_computed_ones():
    page = PAGE.read_text("utf-8")
    assert page == rewritten(page), "python tests/docs/test_networks.py writes the tables anew"
    assert set(re.findall(r"\| \*\*([\d,]+)\*\* ", page)) == PRINTED


def test_every_named_test_exists():
    named = re.findall(r"`(test_\w+)::(test_\w+)`", PAGE.read_text("utf-8"))
    assert len(named) > 10
    for file, test in named:
        (path,) = (ROOT / "tests").rglob(f"{file}.py")
        tree = ast.parse(path.read_text("utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text("utf-8")), "utf-8")
