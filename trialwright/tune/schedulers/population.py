"""Populations under Ray Tune's names: training, its replay, and bandits (PBT, PB2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwright import searchers, space
from trialwright.nested import flatten
from trialwright.schedulers import PBT, PBTReplay
from trialwright.searchers import Perturb, Schedule, Searcher
from trialwright.tune import names
from trialwright.tune.schedulers.trial_scheduler import BuiltInScheduler, metric_and_mode

Policy = list[tuple[int, dict[str, Any]]]  # from which step on which configuration


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
        self.domains = _read(hyperparam_mutations, _domain)
        self._function = custom_explore_fn
        self._factors = tuple(perturbation_factors)
        self._resample_probability = resample_probability
        self._engine = PBT(
            interval=perturbation_interval,
            quantile=quantile_fraction,
            burn_in=burn_in_period,
            time_attr=names.to_engine(time_attr),
            synchronous=synch,
        )

    def searcher(self, base: Searcher) -> Searcher:
        """Return a searcher that also makes the variations.

        Args:
            base: where the first population comes from.
        """
        mutations = flatten(self.domains)
        return Perturb(base, self._factors, self._resample_probability, mutations, self._function)

    def complete(self, param_space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space with all mutated parameters in it: the first values of those that it lacks are drawn."""
        return _merged(param_space, self.domains)


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
        ValueError: an argument is out of its range, or refused, or bounds that are no two numbers.
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
        self.bounds = _read(hyperparam_bounds, _bound)
        self._function = custom_explore_fn
        self._engine = PBT(
            interval=perturbation_interval,
            quantile=quantile_fraction,
            time_attr=names.to_engine(time_attr),
            synchronous=synch,
        )

    def searcher(self, base: Searcher) -> Searcher:
        """Return a searcher that also chooses the settings of clones.

        Args:
            base: where the first population comes from.
        """
        return searchers.PB2(base, flatten(self.bounds), function=self._function)

    def complete(self, param_space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space with all that varies in it: the first values of what it lacks are drawn."""
        return _merged(param_space, _read(self.bounds, lambda bound, _: space.uniform(*bound)))


class PopulationBasedTrainingReplay(BuiltInScheduler):
    """Takes one trial through the configurations of a population's best. See ``trialwright.schedulers.PBTReplay``.

    Args:
        policy_file: a file of JSON, a row a line: a step and the configuration from there on, as ``result.lineage``
            has them; or a policy file that Ray Tune's PBT has written.

    Raises:
        ValueError: there is no such file, or it is neither.
    """

    def __init__(self, policy_file: str) -> None:
        path = Path(policy_file).expanduser()
        if not path.is_file():
            raise ValueError(f"policy_file={policy_file!r}: there is no such file")
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            self._policy = _policy(rows)
            self._engine = PBTReplay(self._policy)
        except (ValueError, TypeError) as error:
            raise ValueError(f"policy_file={policy_file!r} holds no policy: {error}") from error

    def searcher(self, base: Searcher) -> Searcher:
        """Return the searcher that supplies the configurations, in place of any other."""
        return Schedule([config for _, config in self._policy])

    def complete(self, param_space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space with all that the policy sets in it."""
        return {**param_space, **_varied([config for _, config in self._policy])}


# What varies ----------------------------------------------------------------------------------------------------------


def _read(given: Mapping[str, Any], read: Callable[[Any, str], object], prefix: str = "") -> dict[str, Any]:
    """Return what ``read`` makes of each value and its path, nested as they were given."""
    return {
        name: _read(value, read, f"{prefix}{name}/") if isinstance(value, Mapping) else read(value, f"{prefix}{name}")
        for name, value in given.items()
    }


def _domain(value: object, path: str) -> object:
    if isinstance(value, list | tuple):
        return space.ordinal(list(value))
    if (isinstance(value, space.Domain) and not isinstance(value, space.Derived)) or callable(value):
        return value
    raise TypeError(f"hyperparam_mutations[{path!r}] must be a domain, a list, or a function, not {value!r}")


def _bound(value: object, path: str) -> object:
    numbers = [*value] if isinstance(value, list | tuple) else []
    if len(numbers) != 2 or not all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers):
        raise ValueError(f"hyperparam_bounds[{path!r}] must be two numbers, [low, high], not {value!r}")
    if not numbers[0] < numbers[1]:
        raise ValueError(f"hyperparam_bounds[{path!r}] must rise, not {value!r}")
    return float(numbers[0]), float(numbers[1])


def _merged(given: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space with those of the domains that it lacks."""
    found = dict(given)
    for name, domain in domains.items():
        if isinstance(domain, Mapping):
            found[name] = _merged(found.get(name, {}), domain)
        elif name not in found:
            found[name] = domain if isinstance(domain, space.Domain) else space.sample_from(domain)
    return found


# What a policy file holds ---------------------------------------------------------------------------------------------


def _policy(rows: list[Any]) -> Policy:
    if all(len(row) == 2 for row in rows):
        return [(step, config) for step, config in rows]
    return _of_ray(rows)


def _of_ray(rows: list[Any]) -> Policy:
    """Read Ray Tune's rows from the last one back: whose, from whom, both steps, the old configuration, the new one.

    A row belongs to the schedule as long as it is about the trial that the row behind it was copied from.
    """
    policy: Policy = []
    first: dict[str, Any] = {}
    wanted = None
    for whose, from_whom, _, step, old, new in reversed(rows):
        if wanted not in (None, whose):
            break
        wanted, first = from_whom, old
        policy.append((step, new))
    return [(0, first), *reversed(policy)]


def _varied(configs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a space that has these configurations in it, and as little else as may be."""
    found: dict[str, Any] = {}
    for name in {name: None for config in configs for name in config}:
        values = [config[name] for config in configs if name in config]
        if all(isinstance(value, dict) for value in values):
            found[name] = _varied(values)
        else:
            distinct = list({repr(value): value for value in values}.values())
            found[name] = space.choice(distinct) if len(distinct) > 1 else distinct[0]
    return found
