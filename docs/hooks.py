"""What the site does to a page: links out of `docs/`, and equations.

Equations become MathML, which a browser draws by itself: the site loads nothing from elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[1]

LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)(#[^)]*)?\)")
CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^\$\$\n(.+?)\n\$\$$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$([^$\n]+)\$")


def on_page_markdown(markdown: str, page, **_) -> str:
    """Rewrites what mkdocs cannot, outside of code."""
    folder = Path(page.file.abs_src_path).parent
    markdown = BLOCK.sub(lambda found: _mathml(found[1], "block"), markdown)
    parts = CODE.split(markdown)
    for number in range(0, len(parts), 2):
        text = LINK.sub(lambda found: _path(found, folder, page.file.src_uri), parts[number])
        parts[number] = INLINE.sub(lambda found: _mathml(found[1], "inline"), text)
    return "".join(parts)


def _path(found: re.Match, folder: Path, page: str) -> str:
    """Turns a link to a file of the repository, which the site does not have, into its name."""
    target = (folder / found[2]).resolve()
    if not target.exists():
        raise PluginError(f"{page}: there is no {found[2]}")
    if target.name == "README.md":
        return "[" + found[1] + "](" + "../" * page.count("/") + "index.md)"
    return f"{found[1]} (`{target.relative_to(ROOT).as_posix()}`)"


def _mathml(latex: str, display: str) -> str:
    return convert(latex.strip(), display=display).replace("\n", " ")
