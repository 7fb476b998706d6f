"""Puts a page together: what is said of sweeps as HTML, and what its scripts read."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from dser_jax import __version__
from dser_jax.report.answer import answer
from dser_jax.report.page.compare import compare_sections, pack_comparison
from dser_jax.report.page.curves import pack_curves
from dser_jax.report.page.library import plotly_js
from dser_jax.report.page.markup import element, escape, paragraphs, section, slug
from dser_jax.report.page.pack import Arrays, compressed
from dser_jax.report.page.pictures import pictures
from dser_jax.report.page.predictions import pack_predictions
from dser_jax.report.page.runs import Cache, pack_runs
from dser_jax.report.page.scores import score_tables
from dser_jax.report.page.searched import pack_searches
from dser_jax.report.page.sweep import Content, Sweep
from dser_jax.report.sections.experiment import experiment_sections
from dser_jax.report.sections.leaks import leak_sections
from dser_jax.report.sections.paper import paper_sections
from dser_jax.report.sections.section import Section
from dser_jax.report.sections.trials import search_sections
from dser_jax.report.text import note, origin, progress
from dser_jax.system import plural

SCRIPTS = ("data", "state", "filter", "table", "charts", "runs", "searches", "predictions", "main")
"""In the order in which they stand in a page."""


class Part(NamedTuple):
    """A part of a page: a heading with what stands below it."""

    title: str
    content: str
    short: str = ""


def make_page(sweeps: Sequence[Sweep], cache: Cache, refresh: float | None = None) -> str:
    """Writes the page of one sweep, or of two and how they compare.

    Args:
      sweeps: One or two.
      cache: Of an earlier page of the same sweeps, or empty.
      refresh: Seconds after which an open page reads its file again.
    """
    arrays = Arrays()
    content = _content(sweeps, arrays, cache)
    leaks = [_leaks(sweep) for sweep in sweeps]
    parts = [
        *_comparison(sweeps),
        _results(sweeps),
        *_sections("Trials", sweeps, [search_sections(sweep.view) for sweep in sweeps]),
        *_experiment(sweeps),
        *_sections("The paper", sweeps, [_paper(sweep) for sweep in sweeps]),
        *_interactive(content),
        *_sections("Leaks", sweeps, leaks),
        _origin(sweeps),
    ]
    library, version = plotly_js()
    taken: set[str] = set()
    named = [(slug(part.short or part.title, taken), part) for part in parts]
    title = " and ".join(sweep.label for sweep in sweeps)
    pieces = {
        "version": __version__,
        "title": escape(f"{title}: report"),
        "style": _file("page.css"),
        "refresh": f' data-refresh="{refresh:g}"' if refresh else "",
        "header": _header(sweeps, title, refresh),
        "navigation": "\n".join(
            element("li", element("a", escape(part.short or part.title), href=f"#{id_}"))
            for id_, part in named
        ),
        "sections": "\n".join(
            element("section", element("h2", escape(part.title)) + part.content, id=id_)
            for id_, part in named
        ),
        "footer": f"Written by dser_jax {__version__}. Charts by Plotly.js {escape(version)}, "
        "MIT licence, whose text is in this file. Nothing here is read from a network.",
        "data": compressed(arrays.container(content)),
        "library": library,
        "script": "\n".join(_file(f"{name}.js") for name in SCRIPTS),
    }
    return _filled("page.html", **pieces)


def _filled(name: str, **pieces: str) -> str:
    """Returns a file of this folder with each `{{piece}}` filled in."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: pieces[found.group(1)], _file(name))


@cache
def _file(name: str) -> str:
    return files("dser_jax.report.page").joinpath(name).read_text("utf-8")


def _content(sweeps: Sequence[Sweep], arrays: Arrays, cache: Cache) -> Content:
    return {
        "sweeps": [{"label": sweep.label, "searched": sweep.searched} for sweep in sweeps],
        "part": "validation" if any(sweep.searched for sweep in sweeps) else sweeps[0].part,
        "runs": pack_runs(sweeps, arrays),
        "curves": pack_curves(sweeps, arrays, cache),
        "predictions": pack_predictions(sweeps, arrays, cache),
        "searches": pack_searches(sweeps),
        "picked": [
            {"sweep": number, "run": table.network.finished[0]}
            for number, sweep in enumerate(sweeps)
            for table in sweep.groups
            if table.network and table.network.finished
        ],
        "comparison": pack_comparison(*sweeps) if len(sweeps) == 2 else [],
        "yardsticks": [
            {"sweep": number, "run": table.yardstick.runs[0]["run"]}
            for number, sweep in enumerate(sweeps)
            for table in sweep.groups
            if table.yardstick
        ],
    }


def _header(sweeps: Sequence[Sweep], title: str, refresh: float | None) -> str:
    content = element("h1", escape(title))
    several = len(sweeps) > 1
    for sweep in sweeps:
        found = answer(sweep.view, sweep.groups, sweep.problems, page=True)
        mark = f"{sweep.label}: " if several else ""
        lines = [f"{mark}{found.lines[0]}", *found.lines[1:], found.why, found.command]
        content += element("div", paragraphs(lines), class_="answer")
    for sweep in sweeps:
        mark = f"{sweep.label}: " if several else ""
        begun = str(sweep.view.manifest.get("created") or "")[:10]
        since = f" Begun {begun}." if begun else ""
        content += element("p", escape(f"{mark}{progress(sweep.view)}.{since}"), class_="lead")
    now = datetime.now().astimezone()
    told = f"Written on {now:%Y-%m-%d} at {now:%H:%M:%S}"
    if refresh:
        told += f" while the sweep runs; this page reads itself again every {refresh:g} s"
    content += element("p", escape(f"{told}."), class_="watching" if refresh else "lead")
    said = [f"{s.label}: {line}" if several else line for s in sweeps for line in s.said()]
    if said:
        lines = "".join(element("li", escape(line)) for line in said)
        content += element("div", element("ul", lines), class_="notices")
    return content


def _comparison(sweeps: Sequence[Sweep]) -> list[Part]:
    if len(sweeps) != 2:
        return []
    content = ""
    for found in compare_sections(*sweeps):
        content += element("h3", escape(found.title)) + section(found)
        if found.lines and not content.count("comparison-chart"):
            content += element("div", id="comparison-chart")
    return [Part("Comparison", content)]


def _results(sweeps: Sequence[Sweep]) -> Part:
    content = ""
    for sweep in sweeps:
        if len(sweeps) > 1:
            content += element("h3", escape(sweep.label))
        titled = len(sweep.groups) > 1
        content += "".join(score_tables(table, titled=titled) for table in sweep.groups)
        if not sweep.groups:
            content += element("p", "There is nothing to report before the first run has finished.")
    return Part(
        "Results", content + paragraphs([note(t for s in sweeps for t in s.groups)], "caption")
    )


def _experiment(sweeps: Sequence[Sweep]) -> list[Part]:
    """Returns what an experiment asked, with its figures."""
    found = [experiment_sections(sweep.view, sweep.groups, sweep.problems) for sweep in sweeps]
    parts = _sections("Experiment", sweeps, found)
    shown = "".join(pictures(sweep) for sweep in sweeps) if parts else ""
    return [part._replace(content=part.content + shown) for part in parts]


def _leaks(sweep: Sweep) -> list[Section]:
    """Divides the test set; before the header is written, which has what could not be read."""
    return leak_sections(sweep.shown, sweep.problems)[0] if sweep.part == "test" else []


def _paper(sweep: Sweep) -> list[Section]:
    return paper_sections(sweep.shown.rows) if sweep.part == "test" else []


def _sections(short: str, sweeps: Sequence[Sweep], found: Sequence[list[Section]]) -> list[Part]:
    """Returns sections of the report of each sweep as a part of the page, if there are any."""
    every = [
        (sweep, each) for sweep, sections in zip(sweeps, found, strict=True) for each in sections
    ]
    if not every:
        return []
    if len(every) == 1 and len(sweeps) == 1:
        return [Part(every[0][1].title, section(every[0][1]), short)]
    content = ""
    for sweep, each in every:
        mark = f"{sweep.label}: " if len(sweeps) > 1 else ""
        content += element("h3", escape(mark + each.title)) + section(each)
    return [Part(short, content)]


def _interactive(content: Content) -> list[Part]:
    """Returns the parts that the scripts fill, those for which there is anything."""
    parts = []
    if content["searches"]:
        parts.append(Part("Settings searched", _filled("searches.html"), "Settings"))
    if content["runs"]["count"]:
        every = content["curves"]["every"]
        thinned = f" Of each run every {every}th epoch is shown." if every > 1 else ""
        parts.append(Part("Runs", _filled("runs.html", thinned=thinned)))
        parts.append(Part("Distribution over seeds", _filled("seeds.html"), "Seeds"))
    found = content["predictions"]
    if found["entries"]:
        names = plural(found["leftOut"], "name")
        left = f" {names} with a lower mean on validation are left out for room."
        given = {"part": found["part"], "left": left if found["leftOut"] else ""}
        told = _filled("predictions.html", **given)
        parts.append(Part("Predictions against labels", told, "Predictions"))
    return parts


def _origin(sweeps: Sequence[Sweep]) -> Part:
    content = ""
    for sweep in sweeps:
        manifest = dict(sweep.view.manifest)
        if len(sweeps) > 1:
            content += element("h3", escape(sweep.label))
        command = str(manifest.get("command") or "")
        if command:
            content += element("p", "The command that made it:", class_="caption")
            content += element("pre", element("code", escape(command)), class_="command")
        lines = [line for line in origin(manifest) if not line.startswith("command: ")]
        pairs = (line.partition(": ") for line in lines)
        content += element(
            "dl",
            "".join(
                element("dt", escape(k)) + element("dd", escape(value)) for k, _, value in pairs
            ),
        )
        for key in ("planned", "planned_whole"):
            if isinstance(manifest.get(key), list):
                manifest[key] = f"the ids of {plural(len(manifest[key]), 'run')}"
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        summary = element("summary", "The whole manifest")
        content += element("details", summary + element("pre", escape(text)), class_="long")
    return Part("Origin", content)
