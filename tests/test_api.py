"""What `import dser_jax` gives: a grid search in ten lines."""

import pytest
from sixty import prepare_sixty
from tiny import DENSE

import dser_jax
from dser_jax.system.errors import DserError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_sixty(tmp_path_factory.mktemp("data"))


def test_a_grid_search_in_ten_lines(data, tmp_path):
    from dser_jax import product, results, sweep

    runs = product(alpha=[0.2, 0.7], beta=[0.1, 0.2], seed=range(2))
    arrived = [row["name"] for row in sweep(data, DENSE, runs, tmp_path, lanes=4, baselines=False)]
    table = results(tmp_path)
    assert sorted(arrived) == sorted(table["name"])
    best = table.groupby("name")["validation_ccc_mean"].mean()
    assert set(best.index) == {f"alpha={a} beta={b}" for a in (0.2, 0.7) for b in (0.1, 0.2)}
    first = table.iloc[0]
    assert (first["alpha"], first["beta"], first["seed"], first["status"]) == (0.2, 0.1, 0, "ok")
    assert first["gamma"] == pytest.approx(0.7)
    assert list(sweep(data, DENSE, runs, tmp_path, lanes=4, baselines=False)) == []


def test_a_sweep_that_the_reader_leaves_goes_on_where_it_was(data, tmp_path):
    runs = dser_jax.product(learning_rate=[0.001, 0.01], seed=range(3))
    options = {"lanes": 4, "baselines": False}
    for row in dser_jax.sweep(data, DENSE, runs, tmp_path, **options):
        first = row
        break
    rest = list(dser_jax.sweep(data, DENSE, runs, tmp_path, **options))
    assert len(rest) == 5
    assert first["run"] not in {row["run"] for row in rest}


def test_product_names_what_it_cannot_cross():
    with pytest.raises(DserError, match=r"product\(units=\.\.\.\): expected one of"):
        dser_jax.product(units=[4, 8])


def test_product_crosses_points_with_seeds():
    runs = dser_jax.product(text_dropout=[0.1, 0.2], patience=[3], seed=(1, 2))
    assert [(run.name, run.seed) for run in runs] == [
        ("text dropout=0.1 patience=3", 1),
        ("text dropout=0.1 patience=3", 2),
        ("text dropout=0.2 patience=3", 1),
        ("text dropout=0.2 patience=3", 2),
    ]
    assert runs[0].hparams.text_dropout.dtype == "float32"
    assert [run.name for run in dser_jax.product(seed=range(2))] == ["default", "default"]


def test_all_that_is_promised_is_there():
    for name in dser_jax.__all__:
        assert getattr(dser_jax, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dser_jax.nothing  # noqa: B018
