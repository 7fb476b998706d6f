"""The library that draws on a page, from the installed package `plotly`, which is not imported."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from dser_jax.report.page.pack import compressed
from dser_jax.system import DserError


@cache
def plotly_js() -> tuple[str, str]:
    """Returns Plotly.js with its licences, compressed, and its version.

    Raises:
      DserError: The package is not installed, or comes without the file.
    """
    spec = find_spec("plotly")
    places = (spec.submodule_search_locations or ()) if spec else ()
    for place in places:
        path = Path(place) / "package_data" / "plotly.min.js"
        if path.is_file():
            data = path.read_bytes()
            found = re.search(rb"plotly\.js v(\d[\w.]*)", data[:400])
            return compressed(data), found.group(1).decode() if found else "of unknown version"
    raise DserError("a page needs the package plotly, which is not installed: pip install plotly")
