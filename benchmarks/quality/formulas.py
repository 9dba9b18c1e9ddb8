"""Tasks that are computed by a formula, in families."""

from __future__ import annotations

from benchmarks.quality.base import Task, judged
from trialwright.bench import formulas


def form_task(form: str, dimension: int, instance: int, *, judging: bool) -> Task:
    """Return a closed form whose optimum lies in the middle of the space."""
    return judged(formulas.closed_form(form, dimension, instance), "forms", judging=judging)


def edge(form: str, dimension: int, instance: int, *, judging: bool) -> Task:
    """Return a closed form whose optimum lies at or near the ends of some parameters."""
    return judged(formulas.edge(form, dimension, instance), "edges", judging=judging)


def boosted(instance: int, *, judging: bool) -> Task:
    """Return a surface shaped like that of boosted trees."""
    return judged(formulas.boosted(instance), "edges", judging=judging)


def surface(instance: int, *, judging: bool) -> Task:
    """Return a surface shaped like those of small networks."""
    return judged(formulas.surface(instance), "surfaces", judging=judging)
