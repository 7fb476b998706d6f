"""Nested arrays as Orbax checkpoints, in folders of any name that a file system allows."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dser_jax.engine.checkpoint import Checkpoints
from dser_jax.engine.trees import load_tree, save_tree

NAMES = (
    *(
        "plain",
        "a b",
        " ends ",
        "[v2]",
        "a*b",
        "a?b",
        "{a,b}",
        "a\\b",
        "a\nb",
        "a\tb",
        "\x01\x1b[31m",
    ),
    *(
        "it's",
        '"so"',
        "日本 é",
        "-dash",
        "100% %20",
        "a#b",
        "$HOME",
        "~",
        "gs:",
        "file:",
        "<a>|&;`!",
    ),
    *(".hidden", "a.part", os.fsdecode(b"no UTF-8: \xff"), "x" * 200),
)


@pytest.fixture(params=NAMES, ids=ascii)
def folder(request, tmp_path) -> Path:
    (tmp_path / request.param).mkdir()
    return tmp_path / request.param


def test_a_tree_comes_back_from_a_folder_of_any_name(folder):
    tree = {"params": {"layer": {"kernel": np.arange(6.0).reshape(2, 3)}}, "stats": np.arange(2)}
    save_tree(folder / "run", {"params": np.zeros(1)})
    save_tree(folder / "run", tree)  # In its place.
    there = load_tree(folder / "run")
    jax.tree.map(np.testing.assert_array_equal, there, tree)
    assert os.listdir(folder) == ["run"]


@pytest.mark.parametrize("name", ["tmp [v2]", "a\\b", "日本"])
def test_the_folder_for_temporary_files_may_be_called_anything_too(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    (tmp_path / "runs {1}").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name))
    tree = {"kernel": np.arange(6.0)}
    save_tree(tmp_path / "runs {1}" / "run", tree)
    np.testing.assert_array_equal(
        load_tree(tmp_path / "runs {1}" / "run")["kernel"], tree["kernel"]
    )
    assert os.listdir(tmp_path / name) == []


def test_lanes_in_flight_come_back_from_a_folder_of_any_name(folder):
    said: list[str] = []
    lanes = Checkpoints(folder / "lanes", said.append)
    lanes.save({"a": jnp.arange(8.0).reshape(2, 4)}, {1: "one"}, wait=True)
    snapshot = Checkpoints(folder / "lanes", said.append).load(
        {"a": jax.ShapeDtypeStruct((4,), jnp.float32)}
    )
    assert snapshot is not None
    np.testing.assert_array_equal(snapshot.lanes["one"]["a"], [4, 5, 6, 7])
    assert said == []


def test_a_save_that_gets_in_its_own_way_is_tried_again(tmp_path, monkeypatch):
    from orbax.checkpoint import v1 as ocp

    really, failures = ocp.save, iter(["Failed to rename manifest.ocdbt.__lock"] * 2)

    def save(*args, **options):
        for why in failures:
            raise ValueError(why)
        really(*args, **options)

    monkeypatch.setattr(ocp, "save", save)
    save_tree(tmp_path / "tree", {"a": np.arange(3)})
    assert load_tree(tmp_path / "tree")["a"].tolist() == [0, 1, 2]
    monkeypatch.setattr(ocp, "save", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_tree(tmp_path / "other", {"a": np.arange(3)})
