"""One checkpoint on disk: lanes as a folder of arrays, and a manifest that vouches for them.

The arrays are as Orbax writes them (`arrays`); the manifest tells what they are, and the size and
the SHA-256 of every file (`manifest.json`). Orbax restores flipped bits silently, hence the
checksums.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dser_jax import __version__
from dser_jax.engine.trees import PyTree, load_tree, save_tree
from dser_jax.system import DataError, check_digests, digests_of, flush_folder, write_text

SCHEMA = 1
"""The format of a checkpoint; raised when an older reader would misread a newer one."""


class Snapshot(NamedTuple):
    """What a checkpoint holds.

    Attributes:
      lanes: The state of each run that was under way, by its id: NumPy arrays, without a lane axis;
        the keys among them are typed.
      note: What was noted with it.
    """

    lanes: dict[str, PyTree]
    note: dict[str, Any]


class Gathered(NamedTuple):
    """Lanes on their way to the disk.

    Attributes:
      arrays: Copies on the host, [lane, ...], by the paths of the leaves.
      about: The manifest, but for the checksums.
    """

    arrays: dict[str, np.ndarray]
    about: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """The room that they need."""
        return sum(array.nbytes for array in self.arrays.values())


class Damaged(Exception):
    """A checkpoint is not whole."""


class Foreign(Exception):
    """A checkpoint is whole, and of something else."""


def gather(
    state: PyTree,
    runs: Mapping[int, str],
    parked: Mapping[str, PyTree],
    note: Mapping[str, Any],
) -> Gathered:
    """Copies lanes to the host; nothing of the state is needed afterwards.

    Args:
      state: Arrays whose first axis is the lanes', typed keys among them.
      runs: The runs under way, by their slots.
      parked: Runs under way without a slot.
      note: What JSON can hold.
    """
    leaves = _named(state)
    about = {
        "schema": SCHEMA,
        "runs": [*runs.values(), *parked],
        "note": dict(note),
        "leaves": {name: _describe(leaf, 1) for name, leaf in leaves.items()},
        "versions": {"dser_jax": __version__, "jax": jax.__version__},
    }
    _to_text(about)  # What JSON cannot hold is to come to light here.
    others = [_named(lane) for lane in parked.values()]
    return Gathered(
        {
            name: _copy(leaf, list(runs), [other[name] for other in others])
            for name, leaf in leaves.items()
        },
        about,
    )


def write_snapshot(folder: Path, gathered: Gathered) -> None:
    """Writes lanes into an empty folder and flushes all of it to the disk, the manifest last."""
    # Orbax refuses arrays without elements.
    arrays = {name: array for name, array in gathered.arrays.items() if array.size}
    if arrays:
        save_tree(folder / "arrays", arrays)
    files = digests_of(folder)
    flush_folder(folder)
    write_text(folder / "manifest.json", _to_text({**gathered.about, "files": files}))


def read_snapshot(folder: Path, like: PyTree) -> Snapshot:
    """Reads what a folder holds, if it is what was written.

    Args:
      folder: Of one checkpoint.
      like: The state of one lane as `jax.ShapeDtypeStruct`s.

    Raises:
      Damaged: it is not.
      Foreign: it is of a state with other leaves, shapes or dtypes, or in another format.
    """
    about = _check(folder, like)
    lanes = _read_arrays(folder / "arrays", about, like)
    return Snapshot(dict(zip(about["runs"], lanes, strict=True)), about["note"])


def _named(tree: PyTree) -> dict[str, Any]:
    """Returns the leaves by their paths."""
    leaves = jax.tree.leaves_with_path(tree)
    named = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
    if len(named) != len(leaves):
        raise ValueError("two leaves of the state have the same path")
    return named


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _describe(leaf: Any, skip: int = 0) -> str:
    return f"{leaf.dtype}{list(leaf.shape[skip:])}"


def _copy(leaf: Any, slots: list[int], others: list[Any]) -> np.ndarray:
    """Copies these lanes of an array, and other lanes, to an array on the host."""
    host, *rows = (np.asarray(jax.random.key_data(x) if _is_key(x) else x) for x in (leaf, *others))
    # A copy, also on a CPU, where `host` is a view of the buffer that the caller gives away next.
    gathered = np.empty((len(slots) + len(rows), *host.shape[1:]), host.dtype)
    for place, row in enumerate([*(host[slot] for slot in slots), *rows]):
        gathered[place] = row
    return gathered


def _read_arrays(folder: Path, about: dict[str, Any], like: PyTree) -> list[PyTree]:
    count = len(about["runs"])
    stored: Any = {}
    if folder.exists():
        try:
            stored = load_tree(folder)
        except Exception as error:
            raise Foreign(f"Orbax cannot read it ({error})") from error
    leaves, wraps = [], []
    for name, leaf in _named(like).items():
        data, wrap = _stored_as(leaf)
        shape = (count, *data.shape)
        array = stored.get(name, np.zeros(shape if 0 in shape else 0, data.dtype))
        if array.shape != shape or array.dtype != data.dtype:
            raise Foreign(f"{name} came back as {_describe(array)}")
        leaves.append(array)
        wraps.append(wrap)
    structure = jax.tree.structure(like)
    return [
        structure.unflatten(
            wrap(array[place, ...]) for wrap, array in zip(wraps, leaves, strict=True)
        )
        for place in range(count)
    ]


def _stored_as(leaf: jax.ShapeDtypeStruct) -> tuple[Any, Callable[[np.ndarray], Any]]:
    """Returns what a leaf is on the disk, and what makes the leaf of that."""
    if not _is_key(leaf):
        return leaf, lambda array: array
    kinds = []

    def look(key):
        kinds.append(jax.random.key_impl(key))
        return jax.random.key_data(key)

    data = jax.eval_shape(look, leaf)
    return data, lambda array: jax.random.wrap_key_data(jnp.asarray(array), impl=kinds[0])


def _to_text(about: dict[str, Any]) -> str:
    """Returns the one text of a manifest, which holds its own checksum."""
    body = json.dumps(about, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps({**about, "sha256": digest}, indent=1, sort_keys=True) + "\n"


def _check(path: Path, like: PyTree) -> dict[str, Any]:
    """Returns the manifest of a checkpoint that is whole and fits."""
    manifest = path / "manifest.json"
    try:
        text = manifest.read_text("utf-8")
        about = json.loads(text)
        del about["sha256"]
        if _to_text(about) != text:
            raise ValueError("its checksum is wrong")
    except FileNotFoundError:
        raise Damaged("manifest.json is missing") from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise Damaged(f"manifest.json: {error}") from error
    if about["schema"] != SCHEMA:
        raise Foreign(f"its schema is {about['schema']}; expected {SCHEMA}")
    there, here = about["leaves"], {name: _describe(leaf) for name, leaf in _named(like).items()}
    lines = [
        f"{name}: {there.get(name, 'absent')} there, {here.get(name, 'absent')} here"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if lines:
        more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
        raise Foreign(f"it is of another state ({'; '.join(lines[:3])}{more})")
    try:
        check_digests(path, about["files"])
    except DataError as error:
        raise Damaged(str(error)) from error
    return about
