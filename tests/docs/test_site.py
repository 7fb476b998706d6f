"""The documentation: the site builds without a warning and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` does; each warning, as of a broken link, is an error."""
    for module in ("material", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(module, reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", os.fspath(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loads(HTMLParser):
    """Collects what a browser loads by itself, and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.maths = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "math":
            self.maths += 1
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.found.append(named.get("src") or "")
        if tag == "link" and named.get("rel") not in ("canonical", "prev", "next"):
            self.found.append(named.get("href") or "")


def test_the_site_loads_nothing_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        for url in Loads(page.read_text("utf-8")).found:
            assert not re.match(r"(https?:)?//", url), f"{page.name} loads {url}"
            if url and page.name != "404.html" and not url.startswith("data:"):
                assert (page.parent / url.partition("?")[0]).exists(), f"{page.name}: no {url}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(.?https?:", style.read_text("utf-8")), style.name


def test_equations_are_mathml(site):
    for path in DOCS.glob("*.md"):
        told = len(re.findall(r"^\$\$$", path.read_text("utf-8"), re.MULTILINE)) // 2
        page = (site / path.with_suffix(".html").name).read_text("utf-8")
        drawn = Loads(page).maths
        assert drawn >= told
        assert "$$" not in page
    assert Loads((site / "method.html").read_text("utf-8")).maths >= 15


def test_names_that_share_a_line_are_entries_of_their_own(site):
    text = re.sub("<[^>]+>", "", (site / "api" / "sweeps.html").read_text("utf-8"))
    # `acoustic_dropout, text_dropout: Rates in ...` of HParams.
    assert "acoustic_dropout," not in text.partition("dser_jax.plan.runs.RunSpec")[0]
    assert len(re.findall("Rates in \\[0, 1\\) before the concatenation", text)) == 2


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r": ([\w/-]+\.md)$", text, re.MULTILINE))
    assert named == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


def test_links_of_the_readme_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text("utf-8")):
            if not target.startswith("http"):
                assert (ROOT / target).exists(), f"{name}: {target}"
