"""Which schedule recurrences follow on an accelerator: by a rule, or where it is long by timing."""

import dataclasses
import re

import jax
import pytest
from laned import DATASET, assert_same, hparams, list_schedules, pose_as_accelerator
from tiny import CONFIG, DENSE

from dser_jax.engine import sizing
from dser_jax.engine.lanes import train_runs
from dser_jax.engine.pace import ordering, rates, setting
from dser_jax.engine.pace.ordering import Setting, alternatives, decide, fastest, is_long
from dser_jax.engine.pace.rates import MEMORY, Timed, identity, remembered
from dser_jax.engine.pace.setting import compile_ahead
from dser_jax.engine.program import compile_epoch
from dser_jax.engine.terms import Hooks
from dser_jax.models.schedules import RULE, SCHEDULES, VARIABLE
from dser_jax.plan import tree_bytes
from dser_jax.plan.runs import RunSpec
from dser_jax.system import remember
from dser_jax.training.run import make_run

OTHERS = ["lean", "rows"]
NONE = "have no room"


def make(config):
    return make_run(config, DATASET.words, DATASET.embedding_dim)


def rates_of(table, asked=None):
    """Makes what measures from a table of schedules."""

    def measure(some):
        for each in some:
            if asked is not None:
                asked.append(each)
            yield table[each.schedule]

    return measure


@pytest.mark.parametrize(
    ("table", "chosen", "reason"),
    [
        ((1000.0, 900.0, 1300.0), "rows", "1,000 by 'rule', 900 by 'lean', 1,300 by 'rows'"),
        ((1000.0, 1049.0, 1030.0), RULE, "1,000 by 'rule', 1,049 by 'lean', 1,030 by 'rows'"),
        ((1000.0, NONE, 1300.0), "rows", "1,000 by 'rule', 1,300 by 'rows'"),
        ((1000.0, NONE, NONE), RULE, "1,000 by 'rule'"),
    ],
)
def test_what_is_clearly_faster_than_the_rule_is_followed(table, chosen, reason):
    found = fastest(20, OTHERS, rates_of(dict(zip([RULE, *OTHERS], table, strict=True))))
    assert found.schedule == chosen
    assert found.reason.startswith(f"{reason} steps a second")
    assert found.reason.count("; by") == table.count(NONE)
    if table[1] == NONE:
        assert "steps a second; by 'lean' 20 lanes have no room" in found.reason


def test_where_the_rule_has_no_room_its_lanes_are_made_fewer_by_it():
    assert fastest(20, OTHERS, rates_of({RULE: NONE, "lean": 1.0, "rows": 2.0})) == (RULE, "")


def test_a_sweep_is_long_by_what_was_measured_or_else_by_a_guess():
    assert is_long(18_000, 2, 2)
    assert is_long(18_000, None, 2)
    assert not is_long(17_999, 2, 2)
    assert not is_long(9_000, 2, 2)
    assert is_long(9_000, 3, 2)
    assert is_long(900, 7, 2, 900 * 7 / 180)
    assert not is_long(900, 7, 2, 900 * 7 / 179)


def test_the_steps_of_a_run_are_those_that_its_patience_is_sure_of(monkeypatch):
    asked = []
    monkeypatch.setattr(ordering, "is_long", lambda steps, *_: asked.append(steps))
    config = dataclasses.replace(CONFIG, batch_size=7, max_epochs=50)
    given = Setting(make(config), DATASET.data, 4, tuple(jax.local_devices()), RULE)
    batches = -(-len(DATASET.data.train) // 7)
    for patience, epochs in ((2, 2), (60, 50)):
        assert decide(given, config, 2, patience, {}, None) == (RULE, "")
        assert asked.pop() == epochs * batches


def test_there_is_something_to_choose_where_something_recurs(monkeypatch):
    data = DATASET.data
    assert alternatives(make(CONFIG), data) == OTHERS
    assert alternatives(make(DENSE), data) == []
    functionals = dataclasses.replace(CONFIG, text=None)
    assert data.acoustic.shape[1] == 1
    assert alternatives(make(functionals), data) == []  # a single step each
    monkeypatch.setenv(VARIABLE, "rows")
    assert alternatives(make(CONFIG), data) == []


def test_a_program_follows_the_schedule_that_it_is_compiled_for():
    few, run = rates.few_rows(DATASET.data, 2), make(CONFIG)

    def operations(name):
        return re.findall(r" = \S+ ([\w-]+)\(", compile_epoch(run, few, 2, name).advance.as_text())

    found = {name: operations(name) for name in (RULE, *SCHEDULES)}
    assert found[RULE] == found["packed"]  # the processor's
    assert len(found[RULE]) > 100
    assert len(set(map(tuple, found.values()))) == 3


def test_what_is_known_decides_and_what_is_not_is_measured_where_it_is_worth_it(monkeypatch):
    known = {Timed(2, RULE): 1.0, Timed(2, "lean"): 3.0, Timed(2, "rows"): 2.0}
    given = Setting(make(CONFIG), DATASET.data, 4, tuple(jax.local_devices()) * 2, RULE)
    other = given._replace(lanes=6)

    def settle(setting, known, measure=None):
        order = decide(setting, CONFIG, 2, 10, known, measure)
        return order and order.schedule

    assert settle(given, {}, rates_of({})) == RULE  # too short
    assert settle(given, {Timed(2, RULE): 1.0}, rates_of({})) == RULE
    assert settle(given, known) == "lean"
    assert settle(given, {Timed(2, RULE): 1.0, Timed(2, "rows"): 2.0}) == "rows"
    assert settle(other, known) == RULE
    monkeypatch.setattr(ordering, "LONG", 0)
    assert settle(given, known) == "lean"
    assert settle(other, known) is None  # nobody measures
    asked = []
    assert settle(other, known, rates_of({RULE: 1.0, "lean": 1.0, "rows": 2.0}, asked)) == "rows"
    assert asked == [Timed(3, name) for name in (RULE, *OTHERS)]
    assert settle(given._replace(run=make(DENSE)), {}) == RULE


@pytest.fixture
def accelerator(tmp_path, monkeypatch):
    """Has the processor pose as an accelerator for which every sweep is long."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pose_as_accelerator(monkeypatch)
    monkeypatch.setattr(ordering, "LONG", 0)


def train(**options):
    """Trains three runs in two lanes; returns outcomes, and what was said and decided."""
    said, ordered = [], []
    items = [(f"r{i}", RunSpec(f"r{i}", hparams(), i)) for i in range(3)]
    hooks = Hooks(notice=said.append, ordered=ordered.append)
    given = {"lanes": 2, "measure": True, "hooks": hooks, **options}
    return dict(train_runs(DATASET, CONFIG, items, **given)), said, ordered


def test_schedules_are_timed_once_followed_and_remembered(accelerator, monkeypatch):
    followed = list_schedules(monkeypatch)
    found, said, ordered = train()
    name = identity(CONFIG, DATASET.data, jax.local_devices()[0])
    assert remembered(name).keys() == {Timed(2, each) for each in (RULE, *OTHERS)}
    assert said[0].startswith(f"the steps of LSTMs in the order {ordered[0]!r}: ")
    assert said[0].count(" by ") == 3
    assert followed == ordered
    # What is remembered decides the next time, and nothing is compiled for it.
    remember(MEMORY, name, {"2 by rule": 10.0, "2 by lean": 10.1, "2 by rows": 12.0})
    monkeypatch.setattr(rates, "compile_epoch", lambda *_: pytest.fail("compiled again"))
    again, said, ordered = train()
    assert said == [
        "the steps of LSTMs in the order 'rows': 10 by 'rule', 10 by 'lean', 12 by 'rows' "
        "steps a second"
    ]
    assert (ordered, followed[1]) == (["rows"], "rows")
    assert_same(found, again, found, exactly=False)


def test_nothing_is_timed_without_need(accelerator, monkeypatch):
    monkeypatch.setattr(setting, "measured", lambda *_: rates_of({}))
    assert train(schedule="rows")[1:] == ([], [])  # the journal says it
    assert train(measure=False)[1:] == ([], [])
    with monkeypatch.context() as short:
        short.setattr(ordering, "LONG", 10**9)
        assert train()[1:] == ([], [])
    with monkeypatch.context() as named:
        named.setenv(VARIABLE, "lean")
        assert train()[1:] == ([], ["lean"])  # followed, hence kept
        assert train(schedule="rows")[1:] == ([], ["lean"])
    monkeypatch.setenv("DSER_NO_COMPILE_CACHE", "1")  # nothing would be remembered
    assert train()[1:] == ([], [])


def test_what_leaves_no_room_for_the_data_is_not_timed(accelerator, monkeypatch):
    few = rates.few_rows(DATASET.data, CONFIG.batch_size)
    needs = {
        name: sizing.needed_bytes(compile_epoch(make(CONFIG), few, 2, name).advance)
        for name in (RULE, "rows")
    }
    assert needs["rows"] != needs[RULE]
    least = min(needs, key=lambda name: needs[name])
    room = (min(needs.values()) + tree_bytes(DATASET.data) + 64) / sizing.SHARE
    monkeypatch.setattr(rates, "free_bytes", lambda device: room)
    measure = rates.measured(make(CONFIG), CONFIG, DATASET.data, "name")
    found = dict(zip(needs, measure([Timed(2, name) for name in needs]), strict=True))
    assert {name for name, rate in found.items() if rate == NONE} == needs.keys() - {least}


def test_what_is_to_be_timed_is_not_compiled_ahead(accelerator, monkeypatch):
    given = {"lanes": 2, "at_most": None, "free": None}
    assert not compile_ahead(DATASET, CONFIG, 3, schedule=None, **given)
    compiled = []

    class Program:
        class put:
            wait = staticmethod(lambda: None)

        harvest = put

    def noting(*given):
        compiled.append(given[-1])
        return Program

    monkeypatch.setattr(setting, "compile_program", noting)
    assert compile_ahead(DATASET, CONFIG, 3, schedule="lean", **given)
    name = identity(CONFIG, DATASET.data, jax.local_devices()[0])
    remember(MEMORY, name, {"2 by rule": 1.0, "2 by lean": 1.0, "2 by rows": 2.0})
    assert compile_ahead(DATASET, CONFIG, 3, schedule=None, **given)
    assert compiled == ["lean", "rows"]
