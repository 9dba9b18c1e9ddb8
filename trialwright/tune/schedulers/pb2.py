"""Population based bandits under Ray Tune's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trialwright import searchers, space
from trialwright.nested import flatten
from trialwright.schedulers import PBT, Scheduler
from trialwright.tune import names
from trialwright.tune.schedulers.async_hyperband import metric_and_mode
from trialwright.tune.schedulers.built_in import BuiltInScheduler
from trialwright.tune.schedulers.pbt import merged
from trialwright.tune.trial import RunFacts


class PB2(BuiltInScheduler):
    """Replaces the worst members of a population by the best, with settings that a model of their gains chooses. See
    ``trialwright.searchers.PB2``.

    Unlike Ray Tune's it goes together with any searcher, which makes the first population, and needs no other package.

    Args:
        time_attr: the metric that intervals are measured in; it only grows.
        metric: what to compare trials by; the run's metric if it is not given.
        mode: "min" or "max"; the run's if it is not given.
        perturbation_interval: how much of ``time_attr`` lies between two decisions about a member.
        hyperparam_bounds: what varies, and between which two numbers. What the space lacks of it begins with a draw
            from there. Where the space's own domain is logarithmic, so is what is chosen here; ints stay ints.
        quantile_fraction: the share of the population that is replaced, and that is copied; in (0, 0.5].
        log_config: means nothing: the journal always holds which trial took over which configuration, and when.
        require_attrs: False is refused: a report without the metric fails its trial.
        synch: compare all members together, once all have come; by default each is compared when it comes.
        custom_explore_fn: is given the settings that were chosen, and returns others.

    Raises:
        ValueError: an argument is out of its range, or refused.
        TypeError: bounds that are no two numbers.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        time_attr: str = "time_total_s",
        metric: str | None = None,
        mode: str | None = None,
        perturbation_interval: float = 60.0,
        hyperparam_bounds: Mapping[str, Any] | None = None,
        quantile_fraction: float = 0.25,
        log_config: bool = True,  # noqa: FBT002 - Ray Tune's order
        require_attrs: bool = True,  # noqa: FBT002 - Ray Tune's order
        synch: bool = False,  # noqa: FBT002 - Ray Tune's order
        custom_explore_fn: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self._metric, self._mode = metric_and_mode(metric, mode)
        if not require_attrs:
            raise ValueError(
                "PB2 does not take this require_attrs: a report without the metric fails its trial; report the metric "
                "in each"
            )
        if not hyperparam_bounds:
            raise ValueError("PB2 needs hyperparam_bounds: what varies, and between which two numbers")
        self.bounds = _bounds(hyperparam_bounds, "")
        self._function = custom_explore_fn
        self._pbt = PBT(
            interval=perturbation_interval,
            quantile=quantile_fraction,
            time_attr=names.to_engine(time_attr),
            synchronous=synch,
        )

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler; it needs ``searcher`` and ``complete`` as well."""
        return self._pbt

    def searcher(self, base: searchers.Searcher) -> searchers.Searcher:
        """Return a searcher that also chooses the settings of clones.

        Args:
            base: where the first population comes from.
        """
        return searchers.PB2(base, flatten(self.bounds), function=self._function)

    def complete(self, param_space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space with all that varies in it: the first values of what it lacks are drawn."""
        return merged(param_space, _domains(self.bounds))


def _bounds(given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name: _bound(value, f"{prefix}{name}") for name, value in given.items()}


def _bound(value: object, path: str) -> object:
    if isinstance(value, Mapping):
        return _bounds(value, f"{path}/")
    numbers = [*value] if isinstance(value, list | tuple) else []
    if len(numbers) != 2 or not all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers):
        raise TypeError(f"hyperparam_bounds[{path!r}] must be two numbers, [low, high], not {value!r}")
    if not numbers[0] < numbers[1]:
        raise ValueError(f"hyperparam_bounds[{path!r}] must rise, not {value!r}")
    return float(numbers[0]), float(numbers[1])


def _domains(bounds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _domains(bound) if isinstance(bound, Mapping) else space.uniform(*bound) for name, bound in bounds.items()
    }


__all__ = ["PB2"]
