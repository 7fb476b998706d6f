"""Figures of an experiment within a page, as images that the page carries."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from dser_jax.report.page.markup import element, escape
from dser_jax.report.page.sweep import Sweep
from dser_jax.system import quiet_matplotlib


def pictures(sweep: Sweep) -> str:
    """Returns what an experiment's figures show, as HTML; nothing without Matplotlib."""
    quiet_matplotlib()
    try:
        from dser_jax.report.figures import experiment_figures
    except ModuleNotFoundError:
        return ""
    content = ""
    with tempfile.TemporaryDirectory() as folder:
        drawn = experiment_figures(sweep.view, sweep.groups, Path(folder))
        for title, files in drawn.items():
            for file in files:
                if file.suffix == ".png":
                    data = base64.b64encode(file.read_bytes()).decode()
                    picture = element("img", src=f"data:image/png;base64,{data}", alt=title)
                    content += element("figure", picture + element("figcaption", escape(title)))
    return content
