"""Searches over loss weights, dropout rates and the like, found in the rows of a journal.

What is picked is picked on validation, by the mean CCC over seeds; its test score is then a score
like any other. The best of all test scores would be no such thing: it is the highest of many noisy
numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dser_jax.plan import canonical, two_weights, with_later
from dser_jax.stats.means import Summary, summary
from dser_jax.stats.rows import Row, count_lost, score

LEAST_PAIRS = 9
"""Fewer points than this are no surface."""

LEAST_VALUES = 4
"""Fewer points than this are no line."""

WEIGHTS = ("alpha", "beta", "gamma")

RATES = ("acoustic_dropout", "text_dropout")

PAPER_RATES = {"acoustic_dropout": 0.1, "text_dropout": 0.3}
"""Where each rate is held for a line along the other: text as in the authors' script for their line
along the acoustic rates, speech at the rate that the paper picks."""

OTHERS = (
    *("fusion_dropout", "learning_rate", "patience"),
    *("weight_decay", "modality_dropout", "embedding_dropout", "half_life"),
    "weighting_setting",
)
"""What else a grid of the command line can go over."""


@dataclass(frozen=True)
class Point:
    """The runs of one point of a search.

    Attributes:
      at: Its place, one value an axis.
      scores: (part, metric) -> mean over attributes, over the runs that went on to their
        end; absent where none did.
      lost: How many ended before: diverged, failed or pruned.
      allowed: Whether it may be picked: not with a negative loss weight.
    """

    at: tuple[float, ...]
    scores: dict[tuple[str, str], Summary]
    lost: int
    allowed: bool = True

    @property
    def validation(self) -> Summary | None:
        """Its CCC on validation."""
        return self.scores.get(("validation", "ccc"))

    @property
    def test(self) -> Summary | None:
        """Its CCC on the test set."""
        return self.scores.get(("test", "ccc"))


@dataclass(frozen=True)
class Search:
    """Points that differ along the axes and in nothing else.

    Attributes:
      kind: "weights" (two axes, the third follows), "weight", "rates", or a field of `HParams`.
      axes: Names of the axes.
      what: The network and its features.
      points: In the order of their places.
      corpus: Of all of them.
      papers: The published figures that any of them answer to.
      held: What else the paper or a grid varies, and its value here.
    """

    kind: str
    axes: tuple[str, ...]
    what: str
    points: tuple[Point, ...]
    corpus: str
    papers: frozenset[str] = frozenset()
    held: tuple[str, float] | None = None

    @property
    def pick(self) -> Point | None:
        """The allowed point with the highest mean score on validation; the first of equals."""
        scored = [(p, p.validation) for p in self.points if p.allowed and p.validation is not None]
        return max(scored, key=lambda pair: pair[1].mean, default=(None, None))[0]

    @property
    def seeds(self) -> int:
        """The highest number of runs of a point."""
        return max((p.validation.n for p in self.points if p.validation is not None), default=0)

    def values(self, axis: int) -> list[float]:
        """Returns where its points lie along an axis."""
        return sorted({point.at[axis] for point in self.points})


def searches(rows: Sequence[Row]) -> list[tuple[Search, ...]]:
    """Finds what the rows of one table search; what belongs side by side comes together.

    Rows belong to one search if configuration and traced settings are equal but for the axes:

    - "weights": alpha and beta vary, and gamma is 1 - alpha - beta (eq. 5, Fig. 4 of the paper);
    - "weight", up to three times: one weight varies, the other two are 1 (eq. 6, Fig. 5);
    - "rates": both dropout rates vary, most pairs being there (Fig. 6);
    - "acoustic_dropout", "text_dropout": one varies, the other held at one value. Of several, it is
      the value with the most points; of equals the paper's, else the one of the pick;
    - "fusion_dropout", "learning_rate", "patience" and the other traced settings: alone.
    """
    usable = [
        {**row, "hparams": with_later(row["hparams"])}
        for row in rows
        if "loss_weights" in (row.get("hparams") or {})
    ]
    found: list[list[Search]] = []
    for group in _groups(usable, "loss_weights"):
        found += [_surface(group), _weight_lines(group)]
    for group in _groups(usable, *RATES):
        grid = _rate_grid(group)
        whole = len(grid.points) >= max(LEAST_PAIRS, len(grid.values(0)) * len(grid.values(1)) / 2)
        wide = min(len(grid.values(0)), len(grid.values(1))) > 2
        found += [_rate_lines(group, grid), [grid] if whole and wide else []]
    for field in OTHERS:
        for group in _groups(usable, field):
            found.append(_line(field, group, lambda row, field=field: row["hparams"][field]))
    return [tuple(each) for each in found if each]


def _groups(rows: Iterable[Row], *axes: str) -> list[list[Row]]:
    """Parts rows by all settings but these traced ones."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        hparams = row["hparams"]
        if not all(axis in hparams for axis in axes):
            continue
        rest = {name: value for name, value in hparams.items() if name not in axes}
        key = [row.get("network"), row.get("features"), row.get("config"), rest]
        groups.setdefault(canonical(key), []).append(row)
    return list(groups.values())


def _points(
    rows: Iterable[Row],
    place: Callable[[Row], tuple[float, ...] | None],
    least: int = LEAST_VALUES,
    allowed: Callable[[tuple[float, ...]], bool] = lambda _: True,
) -> tuple[Point, ...]:
    """Gathers rows by place; those without one are left out. None where too few places remain."""
    places: dict[tuple[float, ...], list[Row]] = {}
    for row in rows:
        at = place(row)
        if at is not None:
            places.setdefault(tuple(round(float(value), 9) for value in at), []).append(row)
    points = []
    for at in sorted(places) if len(places) >= least else ():
        scores = {}
        for part, metric in (("validation", "ccc"), ("test", "ccc"), ("test", "ccc_batch32")):
            values = [score(row, "mean", metric, part) for row in places[at]]
            known = [value for value in values if value is not None]
            if known:
                scores[part, metric] = summary(known)
        points.append(Point(at, scores, sum(count_lost(places[at]).values()), allowed(at)))
    return tuple(points)


def _search(
    kind: str,
    axes: tuple[str, ...],
    rows: Sequence[Row],
    points: tuple[Point, ...],
    held: tuple[str, float] | None = None,
) -> Search:
    """Fills in what all rows of a group have in common."""
    what = ", ".join(str(rows[0][key]) for key in ("network", "features") if rows[0].get(key))
    papers = frozenset(str(row["paper"].get("table")) for row in rows if row.get("paper"))
    return Search(kind, axes, what, points, str(rows[0].get("corpus", "")), papers, held)


def _surface(rows: Sequence[Row]) -> list[Search]:
    def place(row: Row) -> tuple[float, ...] | None:
        alpha, beta, gamma = row["hparams"]["loss_weights"]
        return (alpha, beta) if abs(two_weights(alpha, beta)[2] - gamma) < 1e-6 else None

    points = _points(rows, place, LEAST_PAIRS, lambda at: two_weights(*at)[2] > -1e-6)
    search = _search("weights", ("alpha", "beta"), rows, points)
    wide = len(search.values(0)) > 2 and len(search.values(1)) > 2
    return [search] if wide else []


def _weight_lines(rows: Sequence[Row]) -> list[Search]:
    found = []
    for axis, name in enumerate(WEIGHTS):

        def place(row: Row, axis: int = axis) -> tuple[float, ...] | None:
            weights = list(row["hparams"]["loss_weights"])
            value = weights.pop(axis)
            return (value,) if weights == [1.0, 1.0] else None

        points = _points(rows, place)
        if points:
            found.append(_search("weight", (name,), rows, points))
    return found


def _rate_grid(rows: Sequence[Row]) -> Search:
    points = _points(rows, lambda row: tuple(row["hparams"][rate] for rate in RATES))
    return _search("rates", RATES, rows, points)


def _rate_lines(rows: Sequence[Row], grid: Search) -> list[Search]:
    found = []
    for axis, field in enumerate(RATES if grid.points else ()):
        held = _held(grid, 1 - axis)
        line = tuple(
            Point((point.at[axis],), point.scores, point.lost)
            for point in grid.points
            if point.at[1 - axis] == held
        )
        if len(line) >= LEAST_VALUES:
            found.append(_search(field, (field,), rows, line, (RATES[1 - axis], held)))
    return found


def _held(grid: Search, axis: int) -> float:
    """Returns the value at which an axis is held for a line along the other."""
    times = Counter(point.at[axis] for point in grid.points)
    most = [value for value, count in times.items() if count == max(times.values())]
    pick = grid.pick
    for wanted in (PAPER_RATES[RATES[axis]], None if pick is None else pick.at[axis]):
        if wanted in most:
            return wanted
    return most[0]


def _line(field: str, rows: Sequence[Row], value: Callable[[Row], float]) -> list[Search]:
    points = _points(rows, lambda row: (value(row),))
    search = _search(field, (field,), rows, points)
    return [search] if points else []
