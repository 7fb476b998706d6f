"""What is kept in a prepared folder is what was written, or it is refused; whoever gave it."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flipper import flipped
from vouched import content, rewrite, vouch

from dser_jax.cli import main
from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.data.prepared import load_prepared
from dser_jax.data.preparing import prepare
from dser_jax.system.errors import DataError

FROZEN = Path(__file__).parent.parent / "frozen" / "prepared.tar.xz"
FLIPS = 100
"""Bits that are flipped in each file."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with functionals, sequences and word vectors."""
    folder = tmp_path_factory.mktemp("whole")
    random = np.random.default_rng(0)
    np.save(folder / "mine.npy", random.normal(size=(6, 3)))
    np.save(folder / "steps.npy", random.normal(size=(6, 4, 2)))
    (folder / "glove.txt").write_text("good 1 2\nbad 3 4\n")
    utterances = [
        Utterance(f"u{i}", "s", "S", transcript="good" if i % 2 else "bad", valence=float(i % 5))
        for i in range(6)
    ]
    prepare(
        Corpus("tiny", tuple(utterances), (0.0, 5.0)),
        folder / "data",
        acoustic={name: folder / f"{name}.npy" for name in ("mine", "steps")},
        vectors={"glove": folder / "glove.txt"},
    )
    return folder / "data"


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    return shutil.copytree(whole, tmp_path / "data")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


def test_a_flipped_bit_is_found_or_changes_nothing(folder):
    want = content(load_prepared(folder))
    found = dict.fromkeys(files(folder), 0)
    assert len(found) == 6
    for path in found:
        for bit in flipped(path, FLIPS):
            try:
                assert content(load_prepared(folder)) == want, f"bit {bit} of {path}"
            except DataError:
                found[path] += 1
    assert content(load_prepared(folder)) == want
    assert all(found.values())
    mine = folder / "features" / "mine.npy"
    assert found[mine] == FLIPS


def test_a_folder_of_version_0_1_has_its_features_checked(tmp_path):
    """Its manifest has no checksum of its own; a flipped bit in it is never an accident."""
    with tarfile.open(FROZEN) as file:
        file.extractall(tmp_path, filter="data")
    folder = tmp_path / "prepared"
    want = content(load_prepared(folder))
    kept = [path for path in files(folder) if path.parent.name in ("features", "vectors")]
    assert len(kept) > 3
    found = 0
    for path in kept:
        for bit in flipped(path, 20):
            try:
                assert content(load_prepared(folder)) == want, f"bit {bit} of {path}"
            except DataError:
                found += 1
    assert found > 15 * len(kept)
    for _ in flipped(folder / "manifest.json", FLIPS):
        try:
            content(load_prepared(folder))
        except DataError:
            continue


def test_rows_in_another_order_are_no_other_data_set(folder):
    path = folder / "features" / "mine.npy"
    np.save(path, np.load(path)[::-1].copy())
    with pytest.raises(DataError, match=r"--acoustic mine=FILE --out .* writes it again"):
        load_prepared(folder).feature("mine")


def test_what_changes_while_a_process_runs_is_found(folder):
    prepared = load_prepared(folder)
    prepared.feature("mine")
    path = folder / "features" / "mine.npy"
    for _ in flipped(path, 1):
        with pytest.raises(DataError):
            prepared.feature("mine")


def test_a_folder_that_is_prepared_anew_meanwhile(folder, tmp_path):
    """Whoever has it open gets what was there, or an error, and nothing of both."""
    opened = load_prepared(folder)
    np.save(tmp_path / "other.npy", np.arange(18).reshape(6, 3))
    prepare(None, folder, acoustic={"mine": tmp_path / "other.npy"})
    assert opened.feature("steps")[0].shape == (24, 2)
    with pytest.raises(DataError, match="has changed this folder meanwhile: give the command ag"):
        opened.feature("mine")
    assert load_prepared(folder).feature("mine")[0][0].tolist() == [0, 1, 2]


def test_a_broken_manifest_says_the_way_out(folder, tmp_path):
    path = folder / "manifest.json"
    text = path.read_text("utf-8")
    path.write_text(text.replace("tiny", "tony"), "utf-8")
    with pytest.raises(
        DataError, match=r"its checksum is wrong\); .* delete it and give `dser prep"
    ):
        load_prepared(folder)
    path.write_text(text[:100], "utf-8")
    with pytest.raises(DataError, match=r"not what was written \(.* delete it and give `dser p"):
        load_prepared(folder)
    path.unlink()
    corpus = Corpus("tiny", (Utterance("a", transcript="good", valence=1.0),), (0.0, 5.0))
    assert prepare(corpus, folder).utterances[0].id == "a"


def nested(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)


def out_of(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        rewrite(folder, lambda manifest: manifest["features"]["mine"].update(stem=name))

    return change


def named(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        def rename(manifest: dict[str, Any]) -> None:
            manifest["features"][name] = manifest["features"].pop("mine")

        rewrite(folder, rename)

    return change


def table(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest.update(table="../utterances.csv"))


@pytest.mark.parametrize(
    "change",
    [nested, table, *map(out_of, ("../mine", "/tmp/mine", "..", "a\0b")), named("../mine")],
    ids=["nested", "table", "up", "absolute", "dots", "nul", "name"],
)
@pytest.mark.parametrize("command", ["inspect", "prepare"])
def test_a_strangers_manifest_leads_nowhere_else(folder, command, change, capsys):
    for name in ("mine.npy", "utterances.csv"):
        (folder.parent / name).write_bytes(next(folder.rglob(name)).read_bytes())
    change(folder)
    before = {path: path.read_bytes() for path in files(folder.parent)}
    if command == "inspect":
        arguments = ["inspect", str(folder)]
    else:
        arguments = ["prepare", "--missing-speech", "keep", "--out", str(folder)]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "manifest.json" in capsys.readouterr().err or change not in (nested,)
    after = {path: path.read_bytes() for path in files(folder.parent)}
    assert after == before


def test_a_link_where_files_are_staged_leads_nowhere_else(folder, tmp_path):
    other = tmp_path / "other"
    (other / "features").mkdir(parents=True)
    (other / "features" / "mine.npy").write_bytes(b"not ours")
    (folder / ".new").symlink_to(other)
    np.save(tmp_path / "mine.npy", np.ones((6, 3)))
    after = prepare(None, folder, acoustic={"mine": tmp_path / "mine.npy"})
    assert after.feature("mine")[0].min() == 1
    assert (other / "features" / "mine.npy").read_bytes() == b"not ours"


@pytest.mark.parametrize(
    "entries",
    [
        {"features": []},
        {"features": {"mine": None}},
        {"features": {"mine": {"kind": "hsf", "columns": [1], "source": "", "sha256": ""}}},
        {"scale": [5, 1]},
        {"scale": {"joy": [1, 5]}},
        {"attributes": [["valence"]]},
        {"left_out_rows": {"-1": "a"}},
        {"notes": [1]},
        {"utterances": True},
        {"vectors": {"glove": {"sha256": "", "dim": "2"}}},
        {"vectors": {"glove": 3}},
        {"corpus": None},
    ],
    ids=json.dumps,
)
def test_a_manifest_of_other_values_is_none(folder, entries):
    rewrite(folder, lambda manifest: manifest.update(entries))
    with pytest.raises(DataError, match=r"not a manifest: .* delete it and give `dser prepare"):
        load_prepared(folder)


def test_the_folder_of_a_sweep_is_said_to_be_one(tmp_path):
    (tmp_path / "manifest.json").write_text('{"schema": 1, "planned": ["a"]}')
    with pytest.raises(DataError, match=r"the folder of a sweep, .* `dser prepare --out` made"):
        load_prepared(tmp_path)


@pytest.mark.parametrize("cell", ["inf", "1e999", "good"])
def test_a_strangers_labels_are_numbers(folder, cell):
    path = folder / "utterances.csv"
    path.write_text(path.read_text().replace(",4.0,", f",{cell},"))
    with pytest.raises(DataError, match=r"utterances\.csv: cannot be read"):
        load_prepared(folder)


def test_a_small_archive_does_not_become_a_large_one(folder):
    path = folder / "vectors" / "glove.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", b"\0" * 50_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"glove\.npz: cannot be read \(compressed arrays\); .*--g"):
        load_prepared(folder).vectors("glove")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000, 3)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (6, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-6, 3)}",
        "(" * 5000,
        "-" * 9000 + "1",
    ],
    ids=["large", "objects", "negative", "nested", "minus"],
)
def test_an_array_is_as_long_as_it_says(folder, header):
    """No room is made for what is not there, and nothing is unpickled."""
    path = folder / "features" / "mine.npy"
    data = path.read_bytes()[128:]
    path.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode() + data)
    rewrite(folder, lambda manifest: vouch(manifest["features"]["mine"], path))
    with pytest.raises(DataError, match=r"mine\.npy: cannot be read"):
        load_prepared(folder).feature("mine")


def test_what_a_strangers_names_hold_no_terminal_obeys(tmp_path, capsys):
    escape = "\x1b[2J\x9b31m"
    utterances = [
        Utterance(
            f"{escape}{i}",
            escape,
            escape,
            transcript=escape,
            valence=1.0 + i,
            split=f"test{i}{escape}" if i else "train",
            source=escape,
        )
        for i in range(3)
    ]
    prepare(Corpus(escape, tuple(utterances), (0.0, 5.0)), tmp_path)

    def change(manifest: dict[str, Any]) -> None:
        manifest["notes"] = manifest["left_out"] = [escape]

    rewrite(tmp_path, change)
    main(["inspect", str(tmp_path)])
    main(["prepare", "--missing-speech", "keep", "--out", str(tmp_path)])
    for name in (f"mine{escape}", "[bold]mine"):
        entry = {"kind": "hsf", "columns": ["x"], "source": escape, "sha256": ""}
        rewrite(tmp_path, lambda manifest, it={name: entry}: manifest.update(features=it))
        with pytest.raises(SystemExit) as end:
            main(["inspect", str(tmp_path)])
        assert end.value.code == 2
    told = capsys.readouterr()
    assert "\\x1b[2J" in told.out
    assert not {"\x1b", "\x9b"} & set(told.out + told.err)
