"""A door for Optuna: its studies choose the settings, and are told what came of them."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from dser_jax.plan import Point
from dser_jax.search.base import Search
from dser_jax.search.space import DRAWS, Choice, Range, Space
from dser_jax.system import DserError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution


class OptunaSearch(Search):
    """Asks a study (Akiba et al. 2019) for each point, and tells it each value, to be maximized.

    The study's own pruner is asked at `rungs`, and at those of a `halving` around this search.
    A point with a negative gamma is told to the study as worth 0, and it is asked again: where it
    is told nothing, a sampler may ask for the same for ever. Settings are rounded to 4 significant
    digits before they are trained with; the study keeps its own.
    """

    def __init__(self, study: Study, space: Space, count: int, rungs: tuple[int, ...] = ()) -> None:
        self.space, self.count, self.rungs = space, count, rungs
        self._study = study
        self._seed: int | None = None
        self._check(study)
        self._before = len(study.trials)
        self._trials: dict[int, Any] = {}

    @classmethod
    def seeded(cls, space: Space, count: int, seed: int) -> OptunaSearch:
        """Makes a search of its own study: in memory, TPE with this seed, no pruner."""
        search = cls(_tpe(seed), space, count)
        search._seed = seed
        return search

    @property
    def study(self) -> Study:
        """The study, with all that it was told."""
        return self._study

    def describe(self) -> dict[str, Any]:
        """Returns the space and what is known of the study."""
        about: dict[str, Any] = {
            "kind": "optuna",
            "sampler": type(self._study.sampler).__name__,
            "pruner": type(self._study.pruner).__name__,
            "trials_before": self._before,
        }
        if self._seed is not None:
            about["seed"] = self._seed
        if self.rungs:
            about["rungs"] = list(self.rungs)
        return {**about, **self.space.describe()}

    def begin(self) -> None:
        """Starts a study of our own anew; one that was given must be as it was then.

        Raises:
          DserError: The study has been used since.
        """
        self._trials = {}
        if self._seed is not None:
            self._study = _tpe(self._seed)
        elif len(self._study.trials) != self._before:
            raise DserError(
                f"the study {self._study.study_name!r} has got trials since it was given; what a "
                "folder holds is told to a fresh study, made as the first one was"
            )

    def ask(self, trial: int) -> Point:
        """Asks the study."""
        ranges = {f: _distribution(f, values) for f, values in self.space.ranges.items()}
        for _ in range(DRAWS):
            asked = self._study.ask(ranges)
            point = self.space.settle({f: asked.params[f] for f in ranges})
            if self.space.allows(point):
                self._trials[trial] = asked
                return point
            self._study.tell(asked, 0.0)
        raise DserError(f"the study asked for a negative gamma {DRAWS} times in a row")

    def keep(self, trial: int, epoch: int, value: float) -> bool:
        """Reports the value to the study, and asks its pruner."""
        self._trials[trial].report(value, epoch)
        return not self._trials[trial].should_prune()

    def tell(self, trial: int, value: float | None, pruned: bool) -> None:
        """Tells the study the value; a trial that was pruned has that of its last rung."""
        from optuna.trial import TrialState

        asked = self._trials.pop(trial)
        if value is None:
            self._study.tell(asked, state=TrialState.FAIL)
        elif pruned:
            self._study.tell(asked, state=TrialState.PRUNED)
        else:
            self._study.tell(asked, value)

    def _check(self, study: Study) -> None:
        from optuna.study import StudyDirection

        if study.directions != [StudyDirection.MAXIMIZE]:
            raise DserError(
                "the study minimizes, or has several objectives; a CCC is to be maximized: "
                'optuna.create_study(direction="maximize")'
            )


def optuna_search(space: Space, count: int, seed: int = 0) -> OptunaSearch:
    """Makes a search by Optuna's TPE.

    For other samplers, or pruners, give a study of your own to `OptunaSearch`; its sampler must
    be seeded for a sweep to go on after an interruption.

    Raises:
      DserError: Optuna is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise DserError('Optuna is not installed: pip install "dser_jax[optuna]"') from None
    return OptunaSearch.seeded(space, count, seed)


def _tpe(seed: int) -> Study:
    import optuna

    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Lanes are asked for together: the liar keeps them from all trying the same place.
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        pruner = optuna.pruners.NopPruner()
        return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)


@contextlib.contextmanager
def _quiet():
    """Keeps Optuna from announcing a study."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _distribution(field: str, values: Range | Choice) -> BaseDistribution:
    from optuna import distributions

    if isinstance(values, Choice):
        return distributions.CategoricalDistribution(values.values)
    if field == "patience":
        return distributions.IntDistribution(int(values.low), int(values.high), log=values.log)
    return distributions.FloatDistribution(values.low, values.high, log=values.log)
