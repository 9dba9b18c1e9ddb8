"""Population based training under Ray Tune's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialist import space
from trialist.schedulers import PBT, Scheduler
from trialist.searchers import Perturb, Searcher
from trialist.tune import names
from trialist.tune.schedulers.async_hyperband import metric_and_mode
from trialist.tune.schedulers.trial_scheduler import TrialScheduler
from trialist.tune.trial import RunFacts


class PopulationBasedTraining(TrialScheduler):
    """Replaces the worst members of a population by variations of the best. See ``trialist.schedulers.PBT``.

    Unlike Ray Tune's it goes together with any searcher, which makes the first population.

    Args:
        time_attr: the metric that intervals are measured in; it only grows.
        metric: what to compare trials by; the run's metric if it is not given.
        mode: "min" or "max"; the run's if it is not given.
        perturbation_interval: how much of ``time_attr`` lies between two decisions about a member.
        burn_in_period: no member is replaced before this.
        hyperparam_mutations: what varies, and over which domain; a list is an ordered choice. These parameters are
            part of the space: say them here or in ``param_space``, not differently in both.
        quantile_fraction: the share of the population that is replaced, and that is copied; in (0, 0.5].
        resample_probability: how often a parameter is drawn afresh instead of being perturbed.
        perturbation_factors: what a number is multiplied by, one of them drawn.
        custom_explore_fn: refused; write a searcher that answers "explore" requests instead.
        log_config: means nothing: the journal always holds which trial took over which configuration, and when.
        require_attrs: False is refused: a report without the metric fails its trial.
        synch: True is refused: members are compared whenever they come.

    Raises:
        ValueError: an argument is out of its range, or refused.
        TypeError: a mutation that is no domain.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        time_attr: str = "time_total_s",
        metric: str | None = None,
        mode: str | None = None,
        perturbation_interval: float = 60.0,
        burn_in_period: float = 0.0,
        hyperparam_mutations: Mapping[str, Any] | None = None,
        quantile_fraction: float = 0.25,
        resample_probability: float = 0.25,
        perturbation_factors: Sequence[float] = (1.2, 0.8),
        custom_explore_fn: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        log_config: bool = True,  # noqa: FBT002 - Ray Tune's order
        require_attrs: bool = True,  # noqa: FBT002 - Ray Tune's order
        synch: bool = False,  # noqa: FBT002 - Ray Tune's order
    ) -> None:
        self._metric, self._mode = metric_and_mode(metric, mode)
        _refuse(custom_explore_fn=custom_explore_fn is not None, require_attrs=not require_attrs, synch=synch)
        if not hyperparam_mutations:
            raise ValueError("PopulationBasedTraining needs hyperparam_mutations: what varies, and over which domain")
        if not 0 <= resample_probability <= 1:
            raise ValueError(f"resample_probability must be in [0, 1], not {resample_probability}")
        self.domains = _domains(hyperparam_mutations, "")
        self._factors = tuple(perturbation_factors)
        self._resample_probability = resample_probability
        self._pbt = PBT(
            interval=perturbation_interval,
            quantile=quantile_fraction,
            burn_in=burn_in_period,
            time_attr=names.to_engine(time_attr),
        )

    def to_engine(self, facts: RunFacts | None = None) -> Scheduler:
        """Return the engine's scheduler; it needs ``searcher`` and ``complete`` as well."""
        return self._pbt

    def searcher(self, base: Searcher) -> Searcher:
        """Return a searcher that also makes the variations.

        Args:
            base: where the first population comes from.
        """
        return Perturb(base, factors=self._factors, resample_probability=self._resample_probability)

    def complete(self, param_space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space with the mutated parameters in it.

        Raises:
            ValueError: the space has a parameter that is to be mutated over another domain, or one that is not to be.
        """
        return _merged(param_space, self.domains, "")


_WHY = {
    "custom_explore_fn": "write a searcher that answers requests of the kind 'explore': see trialist.searchers.Perturb",
    "require_attrs": "a report without the metric fails its trial; report the metric in each",
    "synch": "members are compared whenever one comes, as in the paper; drop synch=True",
}


def _refuse(**given: bool) -> None:
    for name in filter(given.get, given):
        raise ValueError(f"PopulationBasedTraining does not take this {name}: {_WHY[name]}")


def _domains(mutations: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name: _domain(value, f"{prefix}{name}") for name, value in mutations.items()}


def _domain(value: object, path: str) -> object:
    if isinstance(value, Mapping):
        return _domains(value, f"{path}/")
    if isinstance(value, list | tuple):
        return space.ordinal(list(value))
    if isinstance(value, space.Domain) and not isinstance(value, space.Derived):
        return value
    raise TypeError(
        f"hyperparam_mutations[{path!r}] must be a domain or a list, not {value!r}: "
        "a function has no bounds to stay in; use tune.uniform, tune.loguniform, tune.choice, ..."
    )


def _merged(given: Mapping[str, Any], domains: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    merged = dict(given)
    for name, value in given.items():
        if isinstance(value, Mapping) and isinstance(domains.get(name, {}), Mapping):
            merged[name] = _merged(value, domains.get(name, {}), f"{prefix}{name}/")
        elif name in domains and value != domains[name]:
            raise ValueError(
                f"{prefix}{name} is {value!r} in the space and {domains[name]!r} in hyperparam_mutations: "
                "leave it out of the space, and give first values with points_to_evaluate"
            )
        elif name not in domains and isinstance(value, space.Domain):
            raise ValueError(
                f"{prefix}{name} varies, and is not in hyperparam_mutations: the population varies in all parameters; "
                "add it there, or make it a constant"
            )
    return merged | {name: domain for name, domain in domains.items() if name not in given}
