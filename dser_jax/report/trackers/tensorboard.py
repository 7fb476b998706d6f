"""Runs for TensorBoard: its HParams tab, and its curves."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dser_jax.report.trackers.tracked import Tracked, Value
from dser_jax.system import DserError, saying


def to_tensorboard(runs: Iterable[Tracked], folder: Path) -> list[Path]:
    """Writes a folder for each run that has none yet, with settings, scores and curves.

    Run `tensorboard --logdir FOLDER`: the tab HParams has a row a run, and finds out by itself
    which settings and scores there are. Runs that are there already stay as they are, so it can be
    done again as a sweep goes on.

    Args:
      runs: Of `tracked`.
      folder: Made if need be; what it holds of other sweeps stays.

    Returns:
      The folders that were written.

    Raises:
      DserError: The package tensorboard is not installed, or the folder cannot be written to.
    """
    tb = _tensorboard()

    def kept(tag: str, content: dict[str, Any]) -> Any:
        """Wraps what the plugin keeps for itself."""
        data = tb.plugin_data_pb2.HParamsPluginData(
            **content, version=tb.metadata.PLUGIN_DATA_VERSION
        )
        plugin = tb.SummaryMetadata.PluginData(
            plugin_name=tb.metadata.PLUGIN_NAME, content=data.SerializeToString()
        )
        return tb.Summary.Value(tag=tag, metadata=tb.SummaryMetadata(plugin_data=plugin))

    def start(run: Tracked) -> Any:
        info = tb.plugin_data_pb2.SessionStartInfo(group_name=run.run)
        for name, value in run.settings.items():
            held = info.hparams[name]
            value = _plain(value)
            if isinstance(value, bool):
                held.bool_value = value
            elif isinstance(value, str):
                held.string_value = value
            else:
                held.number_value = value
        return kept(tb.metadata.SESSION_START_INFO_TAG, {"session_start_info": info})

    def end(run: Tracked) -> Any:
        status = tb.api_pb2.STATUS_SUCCESS if run.scores else tb.api_pb2.STATUS_FAILURE
        info = tb.plugin_data_pb2.SessionEndInfo(status=status)
        return kept(tb.metadata.SESSION_END_INFO_TAG, {"session_end_info": info})

    def events(run: Tracked) -> Iterable[Any]:
        yield tb.Event(summary=tb.Summary(value=[start(run)]))
        for step, values in _steps(run.curves):
            found = [tb.Summary.Value(tag=tag, simple_value=value) for tag, value in values]
            yield tb.Event(step=step, summary=tb.Summary(value=found))
        found = [tb.Summary.Value(tag=tag, simple_value=value) for tag, value in run.scores.items()]
        if found:
            yield tb.Event(step=run.best_epoch or 0, summary=tb.Summary(value=found))
        yield tb.Event(summary=tb.Summary(value=[end(run)]))

    written = []
    for run in runs:
        place = folder / run.run
        with saying(place):
            if place.is_dir() and any(place.glob("events.out.*")):
                continue
            writer = tb.EventFileWriter(str(place))
            for event in events(run):
                event.wall_time = time.time()
                writer.add_event(event)
            writer.close()
        written.append(place)
    return written


def _tensorboard() -> SimpleNamespace:
    """Imports what of TensorBoard writes its files; TensorFlow is not needed."""
    homes = {
        "Event": "compat.proto.event_pb2",
        "Summary": "compat.proto.summary_pb2",
        "SummaryMetadata": "compat.proto.summary_pb2",
        "EventFileWriter": "summary.writer.event_file_writer",
        "api_pb2": "plugins.hparams",
        "metadata": "plugins.hparams",
        "plugin_data_pb2": "plugins.hparams",
    }
    modules = {"api_pb2", "metadata", "plugin_data_pb2"}
    found = SimpleNamespace()
    try:
        for name, home in homes.items():
            module = f"tensorboard.{home}" + (f".{name}" if name in modules else "")
            loaded = importlib.import_module(module)
            setattr(found, name, loaded if name in modules else getattr(loaded, name))
    except ModuleNotFoundError as error:
        raise DserError(
            f"TensorBoard's files need its package ({error.name} is not installed): "
            "pip install 'dser_jax[tensorboard]'"
        ) from error
    return found


def _plain(value: Value) -> str | float | bool:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _steps(curves: dict[str, list[float]]) -> Iterable[tuple[int, Sequence[tuple[str, float]]]]:
    """Yields the finite values of each epoch, counted from 1."""
    for at in range(max(map(len, curves.values()), default=0)):
        values = [(tag, curve[at]) for tag, curve in curves.items() if at < len(curve)]
        found = [(tag, value) for tag, value in values if math.isfinite(value)]
        if found:
            yield at + 1, found
