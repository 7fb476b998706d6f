from __future__ import annotations

import math
from pathlib import Path

import pytest

from dser_jax.corpora.utterances import Corpus, Utterance
from dser_jax.errors import DataError
from dser_jax.prepare import load_prepared, prepare


def corpus(count: int = 3, **changes) -> Corpus:
    utterances = tuple(
        Utterance(
            **{
                "id": f"u{i}",
                "speaker": "a",
                "session": str(i % 2),
                "transcript": f'He said, "{i}"\nand left',
                "valence": 1 + i / 3,
                "arousal": 2.0,
                "split": None,
                "source": f"labels.csv:{i + 2}",
                **changes,
            }
        )
        for i in range(count)
    )
    return Corpus("tiny", utterances, (1, 5))


def test_the_table_comes_back(tmp_path):
    whole = corpus(file=Path("somewhere") / "a.wav", start=0.25, end=1 / 3)
    prepared = prepare(whole, tmp_path / "out", command="dser prepare")
    again = load_prepared(tmp_path / "out")
    assert again.manifest == prepared.manifest
    assert again.manifest["utterances"] == 3
    assert again.manifest["has_transcripts"] is True
    for want, got in zip(whole.utterances, again.utterances, strict=True):
        assert math.isnan(got.dominance)
        for name in ("id", "transcript", "valence", "start", "end", "split", "session", "source"):
            assert getattr(got, name) == getattr(want, name)


def test_the_fingerprint_follows_the_content_and_not_the_place(tmp_path):
    def fingerprint(name, **changes):
        return prepare(corpus(**changes), tmp_path / name).fingerprint

    first = fingerprint("a", file=Path("here/a.wav"))
    assert first == fingerprint("b", file=Path("there/a.wav"), source="elsewhere:1")
    assert first != fingerprint("c", file=Path("here/b.wav"))
    assert first != fingerprint("d", file=Path("here/a.wav"), valence=2.0)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(DataError, match="there is no such folder; expected a folder that"):
        load_prepared(tmp_path / "no")
    with pytest.raises(DataError, match=r"there is no manifest\.json"):
        load_prepared(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json: not readable as JSON"):
        load_prepared(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema": 7}')
    with pytest.raises(DataError, match="found 'schema 7'; expected schema 1"):
        load_prepared(tmp_path)


def test_an_edited_table_is_noticed(tmp_path):
    prepare(corpus(), tmp_path)
    table = tmp_path / "utterances.csv"
    table.write_text(table.read_text().replace("u1", "u9"))
    with pytest.raises(DataError, match="the table is not the one that was prepared"):
        load_prepared(tmp_path)


def test_an_unknown_feature_names_those_there_are(tmp_path):
    prepared = prepare(corpus(), tmp_path)
    with pytest.raises(DataError, match=r"found 'gemaps_hsf'; expected one of .*\(none\)"):
        prepared.feature("gemaps_hsf")
