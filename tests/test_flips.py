"""Every kind of file that is kept, but for a prepared folder's, with a bit of it flipped."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fabricated import NAMES, fabricate
from flipper import assert_no_flip_is_silent, bits_of
from untrained import make_model

from dser_jax.data import MARKS
from dser_jax.data.rows.scaling import Scaler
from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.experiment.saved_weights import load_weights, save_weights
from dser_jax.experiment.sizes import Sizes
from dser_jax.features.store import Store, writing
from dser_jax.journal import read_differences, read_intervals, read_journal
from dser_jax.journal.journal import Journal
from dser_jax.search import decisions
from dser_jax.share.bundle import read_bundle
from dser_jax.share.exporting import export
from dser_jax.share.parts import Features
from dser_jax.stats.bootstrap import update_intervals
from dser_jax.stats.subsets import marks_of
from dser_jax.system import compile_cache, to_sealed
from dser_jax.training import Weights


@pytest.fixture
def work(tmp_path) -> Path:
    return tmp_path / "work"


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> Path:
    """A journal with three runs, and all else that a sweep leaves."""
    folder = tmp_path_factory.mktemp("kept") / "journal"
    fabricate(folder, NAMES, seeds=1, weights=None)
    view = read_journal(folder)
    with Journal.open(folder, {**view.manifest, "planned": [r["run"] for r in view.rows]}) as open_:
        open_.write_truth(f"k.{MARKS}", test_seen_speaker=np.arange(100) > 7)
    update_intervals(read_journal(folder))
    sizes = Sizes(folder, "a program", print)
    sizes.keep(8)
    sizes.follow("rows")
    return folder


def look_at_journal(folder: Path) -> tuple[Any, list[str]]:
    """Reads a journal as a report does, and opens it as a sweep does."""
    view = read_journal(folder)
    notices = [*view.notices]
    read = [bits_of([view.arrays(row["run"]) for row in view.rows])]
    read += [bits_of([view.truth("k"), marks_of(view, "k")])]
    read += [read_intervals(folder, notices), read_differences(folder, notices)]
    sizes = Sizes(folder, "a program", notices.append)
    read += [sizes.lanes(), sizes.schedule()]
    # A flip in the name of a checksum leaves an entry that nobody asks for.
    read += [[{name: row.get(name) for name in NAMES_OF_A_ROW} for row in view.rows]]
    read += [{name: view.manifest.get(name) for name in NAMES_OF_A_MANIFEST}]
    with Journal.open(folder, view.manifest) as opened:
        read += [sorted(opened.finished)]
        return read, notices + opened.notices


NAMES_OF_A_ROW = (
    *("run", "name", "network", "features", "seed", "corpus", "protocol", "split", "truth"),
    *("config", "hparams", "status", "epochs", "best_epoch", "validation", "test"),
)
NAMES_OF_A_MANIFEST = ("schema", "data_fingerprint", "git_commit", "command", "planned", "created")


def test_a_journal(journal, work):
    found = assert_no_flip_is_silent(journal, work, look_at_journal)
    names = {name.partition("/")[0] for name in found}
    files = {"manifest.json", "rows.jsonl", "bootstrap.json", "lanes.json"}
    assert names == files | {"arrays", "truth"}
    assert all(found.values())


def test_kept_weights(tmp_path, work):
    random = np.random.default_rng(0)
    params = {"dense": {"kernel": random.normal(size=(3, 2)).astype(np.float32)}}
    (tmp_path / "j" / "params").mkdir(parents=True)
    save_weights(tmp_path / "j", "r0", Weights(params, {"mean": np.zeros(2, np.float32)}))
    found = assert_no_flip_is_silent(
        tmp_path / "j", work, lambda folder: (bits_of(to_numpy(load_weights(folder, "r0"))), [])
    )
    assert all(found.values())


def to_numpy(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)


def test_decisions(tmp_path, work):
    lines = [
        {"ask": 0, "settings": {"alpha": 0.31, "beta": 0.5}, "seed": 1000, "run": "3f2a"},
        {"keep": 0, "epoch": 4, "value": 0.412, "kept": True},
        {"tell": 0, "value": 0.536, "status": "ok"},
    ]
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / decisions.FILE).write_bytes(b"".join(map(to_sealed, lines)))

    def look(folder):
        notices: list[str] = []
        read = decisions._read(folder / decisions.FILE, notices.append)
        pairs = zip(read, lines, strict=False)  # A line that is cut off is made again.
        return [[line.get(name) for name in was] for line, was in pairs], notices

    assert all(assert_no_flip_is_silent(tmp_path / "j", work, look).values())


def test_lanes_in_flight(tmp_path, work):
    def state(step):
        return {"key": jax.random.key(step), "params": jnp.full((3, 2), step, jnp.float32)}

    like = jax.eval_shape(state, 0)
    with_lanes = jax.vmap(state)(jnp.arange(3))
    Checkpoints(tmp_path / "lanes", print).save(
        with_lanes, {0: "a", 1: "b", 2: "c"}, note={"count": 3}, wait=True
    )

    def look(folder):
        notices: list[str] = []
        found = Checkpoints(folder, notices.append).load(like)
        if found is None:
            return None, notices
        keyless = [[jax.random.key_data(x["key"]), x["params"]] for x in found.lanes.values()]
        return [list(found.lanes), found.note, bits_of(to_numpy(keyless))], notices

    assert all(assert_no_flip_is_silent(tmp_path / "lanes", work, look).values())


@pytest.mark.parametrize("text", ["words", "features"])
def test_a_model(tmp_path, work, text):
    scores = {"ccc": {"mean": 0.5}, "ccc_batch32": {}, "rmse": {}, "ccc_mean_of_each": {}}
    about = {"protocol": "strict", "split": "last session", "seeds": [0, 1], "chosen": "a run"}
    about |= {"utterances": {"train": 3, "validation": 2, "test": 1}, "trained_again": False}
    model = make_model(members=2, scores={**about, "validation": scores, "test": scores})
    bundle = model.bundle
    if text == "features":
        encoder = {"model": "bert", "sha256": "ab" * 32, "layers": [1, 2], "pool": "mean"}
        features = Features("bert", "hsf", ("a", "b"), "bert", 1, 2, encoder)
        scaler = Scaler(np.array([0.1, 0.2]), np.array([1.5, 2.5]))
        bundle = replace(bundle, tokenizer=None, text_features=features, text_scaler=scaler)
    export(bundle, tmp_path / "model", stablehlo=False)

    def look(folder):
        return bits_of(asdict(read_bundle(folder))), []

    found = assert_no_flip_is_silent(tmp_path / "model", work, look)
    assert found.pop("README.md") == 0
    assert all(found.values())


@pytest.mark.parametrize("half", [False, True])
def test_a_store(tmp_path, work, half):
    random = np.random.default_rng(0)
    with writing(tmp_path / "store", 3, half) as writer:
        for key in "ab":
            writer.add(key, random.normal(size=(4, 3)).astype(np.float32), 0.5)

    def look(folder):
        store = Store(folder, 3, half)
        gone = [key for key in "ab" if key not in store]  # It is extracted again.
        return [(bits_of(np.array(store[k])), store.peak(k)) for k in "ab" if k not in gone], gone

    assert all(assert_no_flip_is_silent(tmp_path / "store", work, look).values())


def test_compiled_programs(tmp_path, work):
    folder = tmp_path / "cache"
    folder.mkdir()
    for name in "ab":
        data = zlib.compress(name.encode() * 300)
        (folder / f"{name}-cache").write_bytes(data)
        (folder / f"{name}-cache{compile_cache.SUM}").write_text(hashlib.sha256(data).hexdigest())

    def look(folder):
        removed = compile_cache._check(folder)
        return {p.name: p.read_bytes() for p in folder.glob("*-cache")}, ["removed"] * removed

    assert all(assert_no_flip_is_silent(folder, work, look).values())
