"""Scales of labels: one for all attributes, one for each, and those that run the other way."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from vouched import rewrite

from dser_jax.cli import main
from dser_jax.config import Config
from dser_jax.corpora.scales import scale_in_words
from dser_jax.corpora.table import load_table
from dser_jax.data import load_dataset, load_prepared
from dser_jax.data.folder.manifest import SCHEMA, SCHEMA_OF_SCALES
from dser_jax.system.errors import DataError

TABLE = "transcript,valence,arousal,split\n" + "".join(
    f"word {i},{valence},{arousal},{split}\n"
    for i, (valence, arousal, split) in enumerate(
        (
            *((-3, 1, "train"), (0, 5, "train"), (3, 2, "dev"), (1.5, "", "dev")),
            *((0, 4, "test"), (-1.5, 3, "test")),
        )
    )
)


@pytest.fixture
def table(tmp_path):
    (tmp_path / "labels.csv").write_text(TABLE)
    return tmp_path / "labels.csv"


def labels(corpus, attr):
    return [getattr(utterance, attr) for utterance in corpus.utterances]


def test_a_scale_that_runs_the_other_way_is_turned(table):
    corpus = load_table(table, scale={"valence": (-3, 3), "arousal": (5, 1)})
    assert labels(corpus, "valence") == [-3, 0, 3, 1.5, 0, -1.5]
    arousal = labels(corpus, "arousal")
    assert arousal[:3] + arousal[4:] == [5, 1, 4, 2, 3]
    assert math.isnan(arousal[3])
    assert corpus.scale == {"valence": (-3.0, 3.0), "arousal": (1.0, 5.0)}
    assert "arousal is 6 - what the table has, as that runs from 5 to 1" in corpus.found
    assert scale_in_words(corpus.scale) == "-3 to 3 (valence), 1 to 5 (arousal)"
    table.write_text(TABLE.replace("-", "").replace("0,", "1,"))
    same = load_table(table, scale={"valence": (1, 5), "arousal": (5, 1), "dominance": (1, 7)})
    assert same.scale == (1.0, 5.0)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ((5, 1), r"not a scale, found \(5, 1\); .*--scale arousal=5:1"),
        ({"valence": (-3, 3)}, r"no scale for arousal, found '-3 to 3 \(valence\)'"),
        ({"valence": (-3, 3), "arousal": (1, 1)}, "not a scale, found 'arousal=1:1'"),
        ({"valence": (-3, 3), "arousal": (1, math.inf)}, "not a scale, found 'arousal=1:inf'"),
        ({"valence": (-3, 3), "arousal": (1, 5), "anger": (1, 5)}, "not a scale, found 'anger="),
        (
            {"valence": (-3, 3), "arousal": (4, 1)},
            r":3: the arousal is off .*'5'; .*1 to 4",
        ),
    ],
)
def test_what_is_no_scale(table, scale, message):
    with pytest.raises(DataError, match=message):
        load_table(table, scale=scale)


def prepare(table, *scale):
    out = table.parent / "out"
    main(["prepare", "--corpus", "table", str(table), "--scale", *scale, "--out", str(out)])
    return load_prepared(out)


def test_scales_that_differ_are_kept_in_a_folder_of_another_schema(table, capsys):
    prepared = prepare(table, "-3", "3", "arousal=5:1")
    assert prepared.manifest["schema"] == SCHEMA_OF_SCALES
    assert prepared.manifest["scale"] == {"valence": [-3, 3], "arousal": [1, 5]}
    config = Config(acoustic=None, split="column")
    gold = prepared.labels
    np.testing.assert_allclose(gold[:, 0], [-1, 0, 1, 0.5, 0, -0.5])
    np.testing.assert_allclose(gold[:, 1], [1, -1, 0.5, math.nan, -0.5, 0])
    known = load_dataset(prepared, config).data.known
    assert known[:, 1].tolist() == [True, True, False, False, True, True]  # One does not vary.
    main(["inspect", str(prepared.folder)])
    out = " ".join(capsys.readouterr().out.split())
    assert "labels from -3 to 3 (valence), 1 to 5 (arousal), fingerprint" in out
    for change, why in (
        ({"scale": {"valence": [-3, 3]}}, "not the one that was prepared"),
        ({"schema": 5}, "found 'schema 5'; expected schema 1, 2, 3 or 4"),
    ):
        rewrite(prepared.folder, lambda manifest, change=change: manifest.update(change))
        with pytest.raises(DataError, match=why):
            load_prepared(prepared.folder)


def test_one_scale_is_written_as_ever_and_the_root_may_follow_it(table):
    table.write_text(TABLE.replace("-", ""))
    out = table.parent / "out"
    main(["prepare", "--corpus", "table", "--out", str(out), "--scale", "0", "5", str(table)])
    manifest = load_prepared(out).manifest
    assert (manifest["schema"], manifest["scale"]) == (SCHEMA, [0, 5])


@pytest.mark.parametrize("scale", ["1", "1 2 3 4", "arousal=5", "anger=1:5", "1 5 arousal=x:1"])
def test_what_the_option_does_not_understand(table, capsys, scale):
    with pytest.raises(SystemExit):
        prepare(table, *scale.split())
    said = capsys.readouterr().err
    assert f"--scale {scale}: expected the lowest and the highest label, as in --scale 1 5" in said


def test_predictions_are_on_the_scale_of_each_attribute(tmp_path):
    from untrained import make_model

    from dser_jax.predict.output import as_json
    from dser_jax.predict.pipeline import predict
    from dser_jax.predict.recordings import find
    from dser_jax.share.bundle import read_bundle, write_bundle

    model = make_model(acoustic=None, members=2)
    attrs = model.bundle.attrs
    scale = {attr: (-3.0, 3.0) if attr == "valence" else (1.0, 9.0) for attr in attrs}
    model.bundle = dataclasses.replace(model.bundle, scale=scale)
    estimate = model(text="the weather")
    for i, attr in enumerate(attrs):
        low, high = scale[attr]
        value = low + (estimate.pred[i] + 1) / 2 * (high - low)
        assert estimate.on_scale[i] == pytest.approx(value, abs=1e-5)
        assert estimate.spread_on_scale[i] == pytest.approx(
            estimate.spread[i] * (high - low) / 2, abs=1e-5
        )
    found = json.loads(as_json(model, predict(model, find([], ["the weather"]))))
    assert found["model"]["scale"] == {attr: list(ends) for attr, ends in scale.items()}
    write_bundle(model.bundle, tmp_path)
    assert read_bundle(tmp_path).scale == scale
