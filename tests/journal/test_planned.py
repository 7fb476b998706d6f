from __future__ import annotations

import pytest

from dser_jax.journal.files import differences
from dser_jax.journal.planned import check_plan, compare_plans, join_plans
from dser_jax.system.errors import DserError


def row(seeds=(0, 1), settings=None, runs=None):
    return {
        "runs": len(seeds) if runs is None else runs,
        "seeds": list(seeds),
        "settings": {"learning_rate": 0.001} if settings is None else settings,
    }


def manifest(**rows):
    """What a call plans; the ids of runs follow from the name, the seed and the settings."""
    ids = [
        f"{name}{seed}{sorted(entry['settings'].items())}"
        for name, entry in rows.items()
        for seed in entry["seeds"]
    ]
    return {"planned": ids, "plan": rows}


WAS = manifest(a=row(), b=row())


@pytest.mark.parametrize(
    "now",
    [
        WAS,
        manifest(b=row(), a=row((1, 0))),
        {**WAS, "planned": WAS["planned"] * 2},
        {**WAS, "plan": {}},
        {"planned": 4},
        {},
    ],
)
def test_the_same_runs_are_no_change(now):
    for one, other in ((WAS, now), (now, WAS)):
        assert not compare_plans(one, other)
        assert compare_plans(one, other).lines == ()
        check_plan("j", one, other, extend=False)


@pytest.mark.parametrize(
    ("now", "lines"),
    [
        (
            manifest(a=row(), b=row(), c=row((0, 1, 2)), d=row((0,))),
            ["new: 'c', 'd', 4 runs", "4 runs planned before, 8 now: 4 new, 0 gone"],
        ),
        (manifest(b=row()), ["gone: 'a', 2 runs", "4 runs planned before, 2 now: 0 new, 2 gone"]),
        (
            manifest(a=row((0, 1, 2, 3, 4)), b=row((0, 1, 2, 3, 4))),
            ["'a', 'b': more seeds: 2 to 4", "4 runs planned before, 10 now: 6 new, 0 gone"],
        ),
        (
            manifest(a=row((1, 7)), b=row()),
            [
                "'a': more seeds: 7",
                "'a': fewer seeds: without 0",
                "4 runs planned before, 4 now: 1 new, 1 gone",
            ],
        ),
        (
            manifest(a=row(settings={"learning_rate": 0.002, "units": [8, 4]}), b=row()),
            [
                "'a': other settings: learning_rate 0.001 -> 0.002, units (not set) -> [8, 4]",
                "4 runs planned before, 4 now: 2 new, 2 gone",
            ],
        ),
    ],
)
def test_differences_are_said_in_words(now, lines):
    change = compare_plans(WAS, now)
    assert change
    assert list(change.lines) == lines
    assert list(change.conflicts) == [line for line in lines if "settings" in line]


def test_many_rows_make_few_lines():
    many = {f"r{number}": row((0,)) for number in range(9)}
    more = {name: row((0, 1)) for name in many}
    (line, _) = compare_plans(manifest(**many), manifest(**more)).lines
    assert line == "'r0', 'r1', 'r2', 'r3', 'r4' and 4 more rows: more seeds: 1"


def test_a_row_with_more_runs_of_the_same_seeds():
    was = {"planned": ["x"], "plan": {"a": row((0,))}}
    now = {"planned": ["x", "y"], "plan": {"a": row((0,), runs=2)}}
    change = compare_plans(was, now)
    assert change.lines[0] == "'a': 1 run before, 2 now"
    assert change.conflicts == ()
    assert join_plans(was, now)["plan"]["a"]["runs"] == 2


def test_runs_that_no_row_explains_are_a_conflict():
    now = {**WAS, "planned": ["other", *WAS["planned"][1:]]}
    (conflict,) = compare_plans(WAS, now).conflicts
    assert conflict.startswith("1 run new, though no row, seed or setting is")
    with pytest.raises(DserError, match="would not compare"):
        check_plan("j", WAS, now, extend=True)


def test_of_an_older_journal_only_the_runs_are_counted():
    change = compare_plans({"planned": ["x", "y"]}, {**WAS, "planned": ["y", "z", "q"]})
    assert change.lines == ("2 runs planned before, 3 now: 2 new, 1 gone",)
    assert (change.added, change.gone, change.conflicts) == (("z", "q"), ("x",), ())


def test_a_refusal_says_what_to_do():
    now = manifest(a=row(), b=row(), c=row())
    with pytest.raises(DserError) as caught:
        check_plan("out", WAS, now, extend=False)
    assert str(caught.value) == (
        "out was planned as another sweep:\n"
        "  new: 'c', 2 runs\n"
        "  4 runs planned before, 6 now: 2 new, 0 gone\n"
        "Choose another --out, or --extend, which adds the new runs and keeps the old"
    )
    assert check_plan("out", WAS, now, extend=True).added == tuple(now["planned"][4:])


@pytest.mark.parametrize("extend", [False, True])
def test_other_settings_are_refused_always(extend):
    now = manifest(a=row(settings={"learning_rate": 0.1}), b=row(), c=row())
    with pytest.raises(DserError, match="'a': other settings: learning_rate") as caught:
        check_plan("out", WAS, now, extend=extend)
    assert str(caught.value).endswith("another --out, or the settings that it was made with")


@pytest.mark.parametrize("extend", [False, True])
def test_parts_are_compared_by_the_whole_and_kept_apart(extend):
    part = {"part": [1, 2], "planned": ["x"], "planned_whole": ["x", "y"]}
    check_plan("out", part, {**part, "planned": ["x", "x"]}, extend=extend)
    with pytest.raises(DserError, match="out holds part 1 of 2, and this is part 2 of 2"):
        check_plan("out", part, {**part, "part": [2, 2], "planned": ["y"]}, extend=extend)
    with pytest.raises(DserError, match="out holds part 1 of 2, and this is a whole sweep"):
        check_plan("out", part, {"planned": ["x", "y"]}, extend=extend)
    more = {**part, "planned_whole": ["x", "y", "z"]}
    assert compare_plans(part, more).added == ("z",)


def test_plans_are_joined_the_earlier_first():
    now = manifest(c=row(), b=row((1, 2), {"learning_rate": 0.5}))
    joined = join_plans(WAS, now)
    assert joined["planned"] == list(dict.fromkeys([*WAS["planned"], *now["planned"]]))
    assert joined["plan"]["b"] == row((0, 1, 2))
    assert list(joined["plan"]) == ["a", "b", "c"]
    assert join_plans({}, {}) == {}
    assert join_plans({"planned": ["x"]}, WAS)["plan"] == WAS["plan"]


def test_what_differs_in_one_of_several_settings_is_named():
    was = {"configs": [{"network": "mlp" * 50, "head_scale": 0.1}]}
    now = {"configs": [{"network": "mlp" * 50, "head_scale": 0.2}]}
    assert differences(was, now) == ["configs 1.head_scale: 0.1 before, 0.2 now"]
