"""Makes page.png: what a browser shows of the page of a made-up grid over two loss weights.

Command, from the root, with Chromium installed: python docs/figures/page.py
"""

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))

import browser  # noqa: E402
from fabricated import weight_grid  # noqa: E402

from dser_jax.journal import Journal  # noqa: E402
from dser_jax.report import write_page  # noqa: E402

SIZE = (1120, 720)

with tempfile.TemporaryDirectory() as folder, browser.running() as chromium:
    with Journal.open(Path(folder) / "grid", {"command": "dser sweep"}) as journal:
        for row in weight_grid(seeds=3):
            journal.commit(row, {})
    page = chromium.open(write_page([Path(folder) / "grid"]), *SIZE)
    page.run("document.querySelector('#settings').scrollIntoView()")
    page.wait(
        "document.querySelector('.surface canvas') && document.querySelector('.map .main-svg')"
    )
    page.run("new Promise(done => setTimeout(done, 1500))")  # The library draws a few times.
    page.picture(HERE / "page.png")
