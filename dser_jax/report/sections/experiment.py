"""What an experiment asked: its steps, its arms, its gradients, what inputs are worth."""

from __future__ import annotations

from collections.abc import Sequence

from dser_jax.journal import JournalView
from dser_jax.report.sections.arms import arm_sections
from dser_jax.report.sections.gains import gain_sections
from dser_jax.report.sections.gradients import gradient_sections
from dser_jax.report.sections.section import Section
from dser_jax.report.sections.steps import step_sections
from dser_jax.stats import Table


def experiment_sections(
    view: JournalView, groups: Sequence[Table], problems: list[str]
) -> list[Section]:
    """Makes the sections that a journal gives cause for; often none.

    Args:
      view: The journal.
      groups: Its tables.
      problems: Takes what could not be read, in words.
    """
    return [
        *step_sections(view, groups),
        *arm_sections(view, groups, problems),
        *gain_sections(view, groups, problems),
        *gradient_sections(view, groups, problems),
    ]
