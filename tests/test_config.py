import json

import pytest
from tiny import CONFIG

from dser_jax.config import Config
from dser_jax.system.errors import DserError


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        CONFIG,
        Config(text=None, taps=(2,)),
        Config(context="same", normalize="speaker", head_scale=2),
    ],
)
def test_a_config_survives_json(config):
    restored = Config.from_json(json.loads(json.dumps(config.to_json())))
    assert restored == config
    assert hash(restored) == hash(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": "16"}, "units is '16'; expected int"),
        ({"units": True}, "units is True; expected int"),
        ({"head_scale": "0.1"}, "head_scale is '0.1'; expected float"),
        ({"layers": 2.0}, "layers is 2.0; expected int"),
        ({"acoustic": 3}, r"acoustic is 3; expected str \| None"),
        ({"half_recurrence": "no"}, "half_recurrence is 'no'; expected bool"),
        ({"fusion": [64, 32, 16]}, r"fusion is \[64, 32, 16\]; expected tuple\[int, int\]"),
        ({"fusion": None}, "fusion is None"),
        ({"taps": ["4"]}, r"taps is \['4'\]"),
        ({"splitt": "column"}, "a setting that this version does not know: 'splitt'"),
    ],
)
def test_what_somebody_has_edited_is_checked(changes, message):
    with pytest.raises(DserError, match=message):
        Config.from_json({**Config().to_json(), **changes})


def test_what_is_missing_is_said():
    values = {name: value for name, value in Config().to_json().items() if name != "taps"}
    with pytest.raises(DserError, match="taps is None"):
        Config.from_json(values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acoustic": None, "text": None}, "an acoustic half, a text half, or both"),
        ({"protocol": "lax"}, "protocol is 'lax'"),
        ({"split": "random"}, "split is 'random'"),
        ({"split": "speakers:20%"}, "with a share as in speakers:0.2"),
        ({"split": "folds"}, "a sweep takes leave_one_session_out and folds:N, too"),
        ({"units": 0}, "units is 0; expected 1 or more"),
        ({"context": "future"}, "context is 'future'"),
        ({"normalize": "session"}, "normalize is 'session'"),
        ({"max_epochs": -1}, "max_epochs is -1"),
        ({"head_scale": 0.0}, "head_scale is 0.0; expected a number from 1e-06 to 100"),
        ({"head_scale": True}, "head_scale is True; expected a number"),
        ({"head_scale": 1e-60}, "head_scale is 1e-60"),
        ({"head_scale": float("nan")}, "head_scale is nan"),
        ({"head_scale": 1e200}, r"head_scale is 1e\+200"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(DserError, match=message):
        Config(**changes)
