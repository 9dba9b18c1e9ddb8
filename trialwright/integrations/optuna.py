"""Optuna's samplers; by default its tree of Parzen estimators. They know branches, and several objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from trialwright.history import Values
from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.forms import Assignment, Axis, Form, Resolved, SpaceForm, plain_data, taken
from trialwright.nested import flatten, unflatten
from trialwright.streams import Streams

Define = Callable[[Any], object]  # of a trial of Optuna's: asks it for each parameter

NUMBER = "trialwright"  # a user attribute of Optuna's trials: the number of ours


@dataclass
class Optuna(Adapter):
    """Asks Optuna (``pip install optuna``, version 4 or later).

    Args:
        sampler: a sampler of Optuna's; None for a ``TPESampler`` that is seeded anew for every question. A sampler of
            your own keeps its random state to itself, so a resumed run goes on with other draws.
        storage: where Optuna keeps the study; None for memory. An existing study is continued.
        study_name: of the study.
        mode: "min" or "max" for each objective: how many there are, and how the study shows their values.
        space: a space of Optuna's own: a dict of distributions, or a function that asks a trial for its parameters and
            may return a dict of constants.
    """

    sampler: Any = None
    storage: Any = None
    study_name: str = "optuna"
    mode: str | Sequence[str] = "min"

    @property
    def exact_resume(self) -> bool:
        """True with the sampler that Optuna has by default."""
        return self.sampler is None

    def own_form(self, space: object) -> Form:
        """Read a dict of distributions, or a define-by-run function."""
        if callable(space):
            return DefineForm(space)
        if isinstance(space, Mapping):
            return DefineForm(_distributed(flatten(space)))
        raise TypeError(f"Optuna's space must be a dict of distributions, or a function of a trial, not {space!r}")

    def open(self, form: Form) -> Library:
        """Open the study."""
        optuna = library("optuna", "optuna")
        modes = [self.mode] if isinstance(self.mode, str) else list(self.mode)
        study = create_quietly(
            optuna,
            storage=self.storage,
            sampler=self.sampler,
            pruner=optuna.pruners.NopPruner(),
            study_name=self.study_name,
            directions=["minimize" if mode == "min" else "maximize" for mode in modes],
            load_if_exists=True,
        )
        define = form.define if isinstance(form, DefineForm) else _axes(cast(SpaceForm, form).axes)
        make = optuna.samplers.TPESampler if self.sampler is None else None
        return _Study(optuna, study, define, make, [1 if mode == "min" else -1 for mode in modes])


def create_quietly(optuna: Any, **options: object) -> Any:  # noqa: ANN401 - Optuna's types are there only if it is
    """Create a study without Optuna's log message about it, which means nothing to our users."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(**options)
    finally:
        optuna.logging.set_verbosity(level)


class _Study:
    """A study of Optuna's, and which of its trials are ours."""

    def __init__(self, optuna: Any, study: Any, define: Define, make: Any, signs: list[int]) -> None:  # noqa: ANN401
        self._optuna, self._study, self._define, self._make, self._signs = optuna, study, define, make, signs
        self._asked: Any = None  # the trial that was proposed last
        self._numbers: dict[int, int] = {}  # the study's, by ours
        self._kept = {trial.user_attrs.get(NUMBER): trial for trial in study.get_trials(deepcopy=False)}

    def ask(self, seed: int, given: Assignment) -> Assignment:
        if self._make is not None:
            self._study.sampler = self._make(seed=seed)
        if given:
            self._study.enqueue_trial(given)
        self._asked = self._study.ask()
        self._define(self._asked)
        return dict(self._asked.params)

    def add(self, trial: int, assignment: Assignment) -> None:
        asked, self._asked = self._asked, None
        kept = self._kept.get(trial)
        if asked is not None and asked.params == assignment:
            asked.set_user_attr(NUMBER, trial)
            self._numbers[trial] = asked.number
            return
        if asked is not None:  # another configuration was chosen instead
            self._study.tell(asked, state=self._optuna.trial.TrialState.FAIL)
        if kept is not None and kept.params == assignment:  # a resumed run finds it in the storage
            self._numbers[trial] = kept.number
        else:
            self._numbers[trial] = self._insert(trial, assignment)

    def _insert(self, trial: int, assignment: Assignment) -> int:
        fixed = self._optuna.trial.FixedTrial(assignment)
        self._define(fixed)
        running = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING,
            params=fixed.params,
            distributions=fixed.distributions,
            user_attrs={NUMBER: trial},
        )
        self._study.add_trial(running)
        return int(self._study.get_trials(deepcopy=False)[-1].number)

    def tell(self, trial: int, values: Values | None) -> None:
        if values is None:
            failed = self._optuna.trial.TrialState.FAIL
            self._study.tell(self._numbers[trial], state=failed, skip_if_finished=True)
            return
        if len(values) != len(self._signs):
            raise ValueError(f"Optuna(mode=...) must name a direction for each of the {len(values)} metrics of the run")
        shown = [sign * value for sign, value in zip(self._signs, values, strict=True)]
        self._study.tell(self._numbers[trial], shown, skip_if_finished=True)


# Spaces as functions that ask a trial --------------------------------------------------------------------------------


def _axes(axes: list[Axis]) -> Define:
    """Ask for the parameters of a space of ours, branches after the choices they depend on."""

    def define(trial: Any) -> None:  # noqa: ANN401 - a trial, or a fixed one
        values: Assignment = {}
        for axis in axes:
            if not taken(axis, values):
                continue
            if axis.kind == "category":
                values[axis.name] = trial.suggest_categorical(axis.name, list(range(int(axis.high) + 1)))
            else:
                suggest = trial.suggest_int if axis.kind == "int" else trial.suggest_float
                values[axis.name] = suggest(axis.name, axis.low, axis.high, log=axis.log)

    return define


def _distributed(distributions: Resolved) -> Define:
    """Ask for the parameters of a dict of distributions.

    Raises:
        TypeError: something in it is none.
    """
    kinds = library("optuna", "optuna").distributions
    for name, given in distributions.items():
        if not isinstance(given, kinds.BaseDistribution):
            raise TypeError(f"Optuna's space: {name!r} must be an Optuna distribution, not {given!r}")

    def define(trial: Any) -> None:  # noqa: ANN401 - as above
        for name, each in cast("dict[str, Any]", distributions).items():
            if isinstance(each, kinds.CategoricalDistribution):
                trial.suggest_categorical(name, each.choices)
            else:
                suggest = trial.suggest_int if isinstance(each, kinds.IntDistribution) else trial.suggest_float
                suggest(name, each.low, each.high, step=each.step, log=each.log)

    return define


class DefineForm:
    """A define-by-run function. An assignment has the parameters that it asked for; what it returns is constant."""

    grid_size = 1
    size = 1  # not known before it is asked

    def __init__(self, define: Define) -> None:
        self._optuna = library("optuna", "optuna")
        self.define = define

    def grid(self, number: int) -> Assignment:
        return {}

    def complete(self, assignment: Assignment, number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        constants = self.define(self._optuna.trial.FixedTrial(assignment))
        if constants is not None and not isinstance(constants, Mapping):
            raise TypeError(f"Optuna's define-by-run function must return a dict or None, not {constants!r}")
        return unflatten({**assignment, **(constants or {})}), assignment

    def assignment(self, config: Resolved) -> Assignment:
        fixed = self._optuna.trial.FixedTrial(flatten(config))
        self.define(fixed)
        return cast(Assignment, plain_data(fixed.params))

    def check(self, point: Mapping[str, object]) -> None:
        self.point(point, 0, Streams(0))

    def point(self, point: Mapping[str, object], number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        """Draw what the point lacks, in a temporary study."""
        sampler = self._optuna.samplers.RandomSampler(streams.integer("point", number))
        study = create_quietly(self._optuna, sampler=sampler)
        study.enqueue_trial(flatten(point))
        trial = study.ask()
        self.define(trial)
        odd = flatten(point).keys() - trial.params.keys()
        if odd:
            raise ValueError(f"Optuna's space has no {min(odd)!r}")
        return self.complete(dict(trial.params), number, streams)
