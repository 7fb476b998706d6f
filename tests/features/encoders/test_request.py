"""What may be asked of an encoder."""

import pytest

from dser_jax.features.encoders.request import chosen_layers, make_encoding, written
from dser_jax.system.errors import DserError


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [
        ("last", (12,)),
        ("all", tuple(range(13))),
        ("4,6", (4, 6)),
        ("2:6", (2, 3, 4, 5, 6)),
        ("6, 0, 5:6", (0, 5, 6)),
    ],
)
def test_layers(layers, numbers):
    assert chosen_layers(layers, 12, "tiny") == numbers


@pytest.mark.parametrize("layers", ["", "first", "-1", "6:2", "1;2", "1,", "1.5"])
def test_what_is_no_list_of_layers_is_refused(layers):
    with pytest.raises(DserError, match="expected numbers"):
        make_encoding("text", "tiny", layers)


def test_halves_and_pools():
    with pytest.raises(DserError, match="there are encoders of speech and of text"):
        make_encoding("words", "tiny")
    with pytest.raises(DserError, match=r"there are mean, mean\+sd, none"):
        make_encoding("text", "tiny", pool="median")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("models/all-MiniLM-L6-v2/", "all-MiniLM-L6-v2"),
        ("facebook/wav2vec2-base", "wav2vec2-base"),
        ("bert (large).v2", "bert-large-v2"),
        ("/", "encoder"),
    ],
)
def test_the_features_are_called_as_the_model(model, name):
    assert make_encoding("text", model).feature == name
    assert make_encoding("text", model, name="mine").feature == "mine"


def test_layers_are_written_as_they_are_asked_for():
    assert written((0, 2, 3, 4)) == "0, 2:4"
    assert written((12,)) == "12"
