"""Predictions on the terminal, as CSV, as JSON, or as an audformat database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from dser_jax.corpora import scale_as_json, scale_in_words
from dser_jax.predict.pipeline import Prediction
from dser_jax.predict.predictor import Predictor
from dser_jax.system import (
    TEMPORARY,
    DserError,
    csv_text,
    flush_folder,
    harmless,
    print_utf8,
    printable,
    replacing_folder,
    saying,
    sync_folder,
    write_text,
)

if TYPE_CHECKING:
    from rich.console import Console


def write(
    out: str,
    format: str,
    model: Predictor,
    found: Sequence[Prediction],
    header: Sequence[str] | None,
) -> None:
    """Writes predictions.

    Args:
      out: A file; "-" for the standard output; for audformat a folder.
      format: One of `place.FORMATS`.
      model: What predicted.
      found: Its predictions.
      header: Names of the columns that rows come with, where they come from a CSV.
    """
    if format == "audformat":
        write_audformat(Path(out), model, found)
        return
    text = as_csv(model, found, header) if format == "csv" else as_json(model, found, header)
    if out == "-":
        print_utf8(text)
    else:
        with saying(Path(out)):
            Path(out).parent.mkdir(parents=True, exist_ok=True)
        write_text(Path(out), text)


def columns(model: Predictor) -> list[str]:
    """Names the columns of the values, in the order of `_values`."""
    kinds = ["pred", "unit", *(["spread"] if len(model.bundle.members) > 1 else [])]
    return [f"{kind}_{attr}" for kind in kinds for attr in model.bundle.attrs]


def check_columns(model: Predictor, header: Sequence[str]) -> None:
    """Makes sure that a CSV has room for the columns that predictions add, before they are made.

    Raises:
      DserError: It has one of these names already.
    """
    names = [*columns(model), *(["far"] if model.bundle.usual is not None else []), "problem"]
    if clash := sorted({*names} & {*header}):
        raise DserError(f"the table has a column {clash[0]!r} already; rename it there")


def _values(prediction: Prediction) -> list[float] | None:
    """Returns the values on the corpus' scale, on [-1, 1], and the spread on the scale."""
    estimate = prediction.estimate
    if estimate is None:
        return None
    parts = [estimate.on_scale, estimate.pred, estimate.spread_on_scale]
    return [float(value) for part in parts if part is not None for value in part]


def as_csv(
    model: Predictor, found: Sequence[Prediction], header: Sequence[str] | None = None
) -> str:
    """Writes a line an utterance: the columns of the CSV that was asked about, then the values.

    Without a CSV the columns before them are file, start and end, and the words, if there are any.
    Where an utterance has no values, the last column, `problem`, says why. What the CSV brings
    stays as it is; what comes from elsewhere is nothing that a spreadsheet would compute.
    """
    distant = any(each.far is not None for each in found)
    names = [*columns(model), *(["far"] if distant else [])]
    words = any(each.piece.text is not None for each in found)
    first = list(header or ["file", "start", "end", *(["transcript"] if words else [])])
    problems = any(each.piece.problem is not None for each in found)
    last = ["problem"] if problems else []
    clash = sorted({*names, *last} & set(first))
    if clash:
        raise DserError(f"the table has a column {clash[0]!r} already; rename it there")
    lines: list[list[object]] = [[*first, *names, *last]]
    for each in found:
        piece, values = each.piece, _values(each)
        times = ["" if time is None else f"{time:.3f}" for time in (piece.start, piece.end)]
        own = [str(piece.file or ""), *times, *([piece.text or ""] if words else [])]
        cells = [""] * len(names)
        if values is not None:
            numbers = [*values, *([each.far] if distant else [])]
            cells = ["" if number is None else f"{number:.6f}" for number in numbers]
        told = [harmless(piece.problem or "")] if problems else []
        lines.append([*(piece.row or map(harmless, own)), *cells, *told])
    return csv_text(lines)


def as_json(
    model: Predictor, found: Sequence[Prediction], header: Sequence[str] | None = None
) -> str:
    """Writes the model, and a list of utterances with their values by attribute."""
    bundle = model.bundle
    about = {
        "name": bundle.name,
        "corpus": bundle.corpus,
        "scale": scale_as_json(bundle.scale),
        "networks": len(bundle.members),
        "attributes": list(bundle.attrs),
    }
    utterances = [_as_dict(model, each, header) for each in found]
    text = json.dumps({"model": about, "utterances": utterances}, indent=1, ensure_ascii=False)
    return text + "\n"


def _as_dict(
    model: Predictor, prediction: Prediction, header: Sequence[str] | None
) -> dict[str, Any]:
    piece = prediction.piece
    entry: dict[str, Any] = {"file": None if piece.file is None else str(piece.file)}
    entry |= {"start": piece.start, "end": piece.end, "transcript": piece.text}
    if header is not None and piece.row is not None:
        entry["row"] = dict(zip(header, piece.row, strict=True))
    values = _values(prediction)
    if values is None:
        return entry | {"problem": piece.problem}
    attrs = model.bundle.attrs
    for i, attr in enumerate(attrs):
        keys = ("value", "unit", "spread")
        entry[attr] = dict(zip(keys, (round(v, 6) for v in values[i :: len(attrs)]), strict=False))
    if prediction.far is not None:
        entry["far"] = round(prediction.far, 6)
    return entry


def write_audformat(folder: Path, model: Predictor, found: Sequence[Prediction]) -> None:
    """Writes an audformat database with a table `predictions`, on the corpus' scale.

    Raises:
      DserError: The package audformat is missing, an utterance is there twice, or there is a model
        of words alone, which has no recordings.
    """
    try:
        import audformat
    except ImportError as error:
        raise DserError(
            "--format audformat needs the package audformat: pip install 'dser_jax[audformat]'"
        ) from error
    import pandas

    done = [each for each in found if each.estimate is not None]
    if any(each.piece.file is None for each in done):
        raise DserError("an audformat table is of recordings, and here are words alone")
    index = audformat.segmented_index(
        [str(each.piece.file) for each in done],
        starts=pandas.to_timedelta([each.piece.start or 0.0 for each in done], "s"),
        ends=pandas.to_timedelta([each.piece.end for each in done], "s"),
    )
    if index.has_duplicates:
        file, start, end = index[index.duplicated()][0]
        raise DserError(f"audformat: {file} from {start} to {end} is there twice")
    bundle = model.bundle
    database = audformat.Database(
        bundle.name,
        usage=audformat.define.Usage.UNRESTRICTED,
        description=f"Predicted by {len(bundle.members)} networks trained on {bundle.corpus}, "
        f"labels from {scale_in_words(bundle.scale)}",
    )
    table = database["predictions"] = audformat.Table(index)
    values = [_values(each) or [] for each in done]
    for i, name in enumerate(columns(model)):
        kind, attr = name.split("_", 1)
        what = {"pred": "", "unit": " on [-1, 1]", "spread": ", deviation of the networks"}[kind]
        column = attr if kind == "pred" else f"{attr}.{kind}"
        database.schemes[column] = audformat.Scheme("float", description=f"{attr}{what}")
        table[column] = audformat.Column(scheme_id=column)
        table[column].set([row[i] for row in values])
    if any(each.far is not None for each in done):
        what = "distance of the features from those of training; above 1 unusual there"
        database.schemes["far"] = audformat.Scheme("float", description=what)
        table["far"] = audformat.Column(scheme_id="far")
        table["far"].set(np.array([each.far for each in done], float))
    _save(database, folder)


def _save(database: Any, folder: Path) -> None:
    """Writes a database into a folder: its tables first, then the header that names them."""
    with saying(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        with replacing_folder(folder) as part:
            database.save(str(part))
        return
    with TemporaryDirectory(prefix=".", suffix=TEMPORARY, dir=folder) as name, saying(folder):
        part = Path(name)
        database.save(name)
        flush_folder(part)
        for path in sorted(part.iterdir(), key=lambda path: path.suffix == ".yaml"):
            path.replace(folder / path.name)
            sync_folder(folder)


def show(
    model: Predictor, found: Sequence[Prediction], console: Console, at_most: int | None = None
) -> None:
    """Prints a table: utterances, and the values on the corpus' scale with their spread."""
    from rich import box
    from rich.table import Table

    bundle = model.bundle
    done = [each for each in found if each.estimate is not None]
    shown = done[:at_most]
    files = {each.piece.file for each in shown if each.piece.file is not None}
    several = len(files) < len(shown)
    unique = len({file.name for file in files}) == len(files)
    words = any(each.piece.text for each in shown)
    count = len(bundle.members)
    spread = f", ± the deviation of {count} networks" if count > 1 else ""
    title = _shown(f"{bundle.title}; values from {scale_in_words(bundle.scale)}{spread}")
    console.print(title, style="bold", soft_wrap=True)  # It may be wider than the table.
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("recording", overflow="fold")
    if several:
        table.add_column("time (s)", justify="right", no_wrap=True)
    if words:
        table.add_column("words", overflow="ellipsis", no_wrap=True, max_width=40)
    for attr in bundle.attrs:
        table.add_column(attr, justify="right", no_wrap=True)
    for each in shown:
        piece, estimate = each.piece, each.estimate
        assert estimate is not None
        name = "–" if piece.file is None else piece.file.name if unique else str(piece.file)
        row = [_shown(name)]
        if several:
            row.append(f"{piece.start or 0:.2f}–{'' if piece.end is None else f'{piece.end:.2f}'}")
        if words:
            row.append(_shown(piece.text or ""))
        spreads = estimate.spread_on_scale
        for i, value in enumerate(estimate.on_scale):
            row.append(f"{value:.2f}" + ("" if spreads is None else f" ± {spreads[i]:.2f}"))
        table.add_row(*row)
    console.print(table)
    if len(done) > len(shown):
        console.print(f"and {len(done) - len(shown)} more")


def _shown(text: str) -> str:
    """Returns what a terminal shows of a text, and neither it nor rich obeys."""
    from rich.markup import escape

    return escape(printable(text))
