"""Population based training under Ray Tune's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialwright import space
from trialwright.nested import flatten
from trialwright.schedulers import PBT, Scheduler
from trialwright.searchers import Perturb, Searcher
from trialwright.tune import names
from trialwright.tune.schedulers.async_hyperband import metric_and_mode
from trialwright.tune.schedulers.built_in import BuiltInScheduler
from trialwright.tune.schedulers.pbt_replay import PopulationBasedTrainingReplay
from trialwright.tune.trial import RunFacts

__all__ = ["PopulationBasedTraining", "PopulationBasedTrainingReplay"]


class PopulationBasedTraining(BuiltInScheduler):
    """Replaces the worst members of a population by variations of the best. See ``trialwright.schedulers.PBT``.

    Unlike Ray Tune's it goes together with any searcher, which makes the first population.

    Args:
        time_attr: the metric that intervals are measured in; it only grows.
        metric: what to compare trials by; the run's metric if it is not given.
        mode: "min" or "max"; the run's if it is not given.
        perturbation_interval: how much of ``time_attr`` lies between two decisions about a member.
        burn_in_period: no member is replaced before this.
        hyperparam_mutations: what varies, and over which domain, or from which function a fresh value comes; a list is
            an ordered choice. What the space lacks of it begins with a draw from here.
        quantile_fraction: the share of the population that is replaced, and that is copied; in (0, 0.5].
        resample_probability: how often a parameter is drawn afresh instead of being perturbed.
        perturbation_factors: what a number is multiplied by, one of them drawn.
        custom_explore_fn: is given a variation, and returns one.
        log_config: means nothing: the journal always holds which trial took over which configuration, and when.
        require_attrs: False is refused: a report without the metric fails its trial.
        synch: compare all members together, once all have come; by default each is compared when it comes.

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
        if not require_attrs:
            raise ValueError(
                "PopulationBasedTraining does not take this require_attrs: a report without the metric fails its "
                "trial; report the metric in each"
            )
        if not hyperparam_mutations:
            raise ValueError("PopulationBasedTraining needs hyperparam_mutations: what varies, and over which domain")
        if not 0 <= resample_probability <= 1:
            raise ValueError(f"resample_probability must be in [0, 1], not {resample_probability}")
        self.domains = _domains(hyperparam_mutations, "")
        self._function = custom_explore_fn
        self._factors = tuple(perturbation_factors)
        self._resample_probability = resample_probability
        self._pbt = PBT(
            interval=perturbation_interval,
            quantile=quantile_fraction,
            burn_in=burn_in_period,
            time_attr=names.to_engine(time_attr),
            synchronous=synch,
        )

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler; it needs ``searcher`` and ``complete`` as well."""
        return self._pbt

    def searcher(self, base: Searcher) -> Searcher:
        """Return a searcher that also makes the variations.

        Args:
            base: where the first population comes from.
        """
        mutations = flatten(self.domains)
        return Perturb(base, self._factors, self._resample_probability, mutations, self._function)

    def complete(self, param_space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space with all mutated parameters in it: the first values of those that it lacks are drawn."""
        return merged(param_space, self.domains)


def _domains(mutations: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name: _domain(value, f"{prefix}{name}") for name, value in mutations.items()}


def _domain(value: object, path: str) -> object:
    if isinstance(value, Mapping):
        return _domains(value, f"{path}/")
    if isinstance(value, list | tuple):
        return space.ordinal(list(value))
    if (isinstance(value, space.Domain) and not isinstance(value, space.Derived)) or callable(value):
        return value
    raise TypeError(f"hyperparam_mutations[{path!r}] must be a domain, a list, or a function, not {value!r}")


def merged(given: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space with those of the domains that it lacks."""
    found = dict(given)
    for name, domain in domains.items():
        if isinstance(domain, Mapping):
            found[name] = merged(found.get(name, {}), domain)
        elif name not in found:
            found[name] = domain if isinstance(domain, space.Domain) else space.sample_from(domain)
    return found
