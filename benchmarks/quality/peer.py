"""Other people's searchers behind a pipe: one JSON line in, one out, so that each can live in its own environment.

    python peer.py optuna-gp
    {"do": "begin", "space": [...], "seed": 0, "evaluations": 100, "parallelism": 1, "noisy": false}   -> {}
    {"do": "ask"}                                     -> {"config": {...}}
    {"do": "tell", "place": 0, "value": 0.3}          -> {}        of the configs asked for, by their places
    {"do": "recommend"}                               -> {"config": {...}}, or {}: what was told the best value

Each is used as its own documentation says, with its defaults. This file imports nothing of ours.
"""
# mypy: ignore-errors

import json
import math
import sys
import warnings


class Peer:
    def recommend(self):
        return None


class Optuna(Peer):
    sampler = "TPESampler"

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.trials = space, []
        self.study = optuna.create_study(sampler=getattr(optuna.samplers, self.sampler)(seed=seed))

    def ask(self):
        trial = self.study.ask()
        self.trials.append(trial)
        return {each["name"]: self._suggest(trial, each) for each in self.space}

    def _suggest(self, trial, each):
        if each["kind"] == "choice":
            return trial.suggest_categorical(each["name"], each["options"])
        suggest = trial.suggest_int if each["kind"] == "int" else trial.suggest_float
        return suggest(each["name"], each["lower"], each["upper"], log=each["log"])

    def tell(self, place, value):
        self.study.tell(self.trials[place], value)


class OptunaGP(Optuna):
    sampler = "GPSampler"


class HyperOpt(Peer):
    def begin(self, space, seed, evaluations, parallelism, noisy):
        import numpy as np
        from hyperopt import Trials, hp, tpe
        from hyperopt.base import Domain

        self.space, self.trials, self.algo = space, Trials(), tpe.suggest
        self.rng, self.asked = np.random.default_rng(seed), []
        self.domain = Domain(lambda config: 0.0, {each["name"]: self._domain(hp, each) for each in space})

    def _domain(self, hp, each):
        name = each["name"]
        if each["kind"] == "choice":
            return hp.choice(name, each["options"])
        if each["kind"] == "int" and not each["log"]:
            return hp.uniformint(name, each["lower"], each["upper"])
        low, high = each["lower"], each["upper"]
        if each["kind"] == "int":
            return hp.qloguniform(name, math.log(low), math.log(high), 1)
        return hp.loguniform(name, math.log(low), math.log(high)) if each["log"] else hp.uniform(name, low, high)

    def ask(self):
        (number,) = self.trials.new_trial_ids(1)
        (document,) = self.algo([number], self.domain, self.trials, int(self.rng.integers(2**31 - 1)))
        self.trials.insert_trial_docs([document])
        self.trials.refresh()
        self.asked.append(number)
        values = {name: value[0] for name, value in document["misc"]["vals"].items()}
        return {each["name"]: self._value(each, values[each["name"]]) for each in self.space}

    def _value(self, each, value):
        if each["kind"] == "choice":
            return each["options"][int(value)]
        return min(max(round(value), each["lower"]), each["upper"]) if each["kind"] == "int" else float(value)

    def tell(self, place, value):
        document = self.trials._dynamic_trials[place]
        document["state"], document["result"] = 2, {"loss": value, "status": "ok"}
        self.trials.refresh()


class BayesOpt(Peer):
    """With all defaults, ten random points first; a logarithm where the scale is one, integers and choices rounded."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import numpy as np
        from bayes_opt import BayesianOptimization

        self.space, self.asked, self.rng = space, [], np.random.default_rng(seed)
        self.bounds = {each["name"]: self._bounds(each) for each in space}
        self.optimizer = BayesianOptimization(f=None, pbounds=self.bounds, random_state=seed, verbose=0)

    def _bounds(self, each):
        if each["kind"] == "choice":
            return 0, len(each["options"]) - 1
        low, high = each["lower"], each["upper"]
        return (math.log(low), math.log(high)) if each["log"] else (low, high)

    def ask(self):
        if len(self.asked) < 10:
            point = {name: float(self.rng.uniform(*bounds)) for name, bounds in self.bounds.items()}
        else:
            point = self.optimizer.suggest()
        self.asked.append(point)
        return {each["name"]: self._value(each, float(point[each["name"]])) for each in self.space}

    def _value(self, each, x):
        if each["kind"] == "choice":
            return each["options"][round(x)]
        value = math.exp(x) if each["log"] else x
        return min(max(round(value) if each["kind"] == "int" else value, each["lower"]), each["upper"])

    def tell(self, place, value):
        self.optimizer.register(self.asked[place], -value)


class BoTorch(Peer):
    """SingleTaskGP, LogEI or (with trials pending) qLogEI, two Sobol points for each parameter first.

    Where some are continuous, integers are rounded, and choices are one column an option, of which the largest counts.
    Where none is, rounding would suggest the same again and again: there BoTorch's search for lattices is used, which
    avoids what was tried, and a choice is one column.
    """

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import torch
        from torch.quasirandom import SobolEngine

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.space, self.asked, self.values = space, [], {}
        self.lattice = all(each["kind"] != "float" for each in space)
        self.d = sum(self._width(each) for each in space)
        self.sobol, self.first = SobolEngine(self.d, scramble=True, seed=seed), max(5, 2 * len(space))

    def ask(self):
        import torch

        point = self._model() if len(self.asked) >= self.first and len(self.values) > 1 else self.sobol.draw(1)[0]
        config, point = self._config(point.to(torch.float64))
        self.asked.append(point)
        return config

    def tell(self, place, value):
        self.values[place] = value

    def _model(self):
        import torch
        from botorch.acquisition.analytic import LogExpectedImprovement
        from botorch.acquisition.logei import qLogExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        places = sorted(self.values)
        x = torch.stack([self.asked[place] for place in places])
        y = -torch.tensor([[self.values[place]] for place in places], dtype=torch.float64)
        model = SingleTaskGP(x, y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        pending = [point for place, point in enumerate(self.asked) if place not in self.values]
        kind = qLogExpectedImprovement if pending else LogExpectedImprovement
        more = {"X_pending": torch.stack(pending)} if pending else {}
        return self._best(kind(model, best_f=y.max(), **more))

    def _best(self, acquisition):
        import torch
        from botorch.optim import optimize_acqf, optimize_acqf_discrete_local_search

        effort = {"q": 1, "num_restarts": 10, "raw_samples": 512}
        if self.lattice:
            choices = [torch.tensor(self._places(each), dtype=torch.float64) for each in self.space]
            seen = torch.stack(self.asked)
            best, _ = optimize_acqf_discrete_local_search(acquisition, choices, X_avoid=seen, **effort)
        else:
            bounds = torch.tensor([[0.0] * self.d, [1.0] * self.d], dtype=torch.float64)
            best, _ = optimize_acqf(acquisition, bounds, **effort)
        return best[0]

    def _width(self, each):
        return len(each["options"]) if each["kind"] == "choice" and not self.lattice else 1

    def _places(self, each):
        if each["kind"] == "choice":
            return [number / (len(each["options"]) - 1) for number in range(len(each["options"]))]
        return [self._place(each, value) for value in range(each["lower"], each["upper"] + 1)]

    def _config(self, point):
        config, point, column = {}, point.clone(), 0
        for each in self.space:
            width = self._width(each)
            own = point[column : column + width]
            if each["kind"] == "choice" and self.lattice:
                place = min(int(own[0] * len(each["options"])), len(each["options"]) - 1)
                own[0] = self._places(each)[place]
                config[each["name"]] = each["options"][place]
            elif each["kind"] == "choice":
                place = int(own.argmax())
                own[:] = 0.0
                own[place] = 1.0
                config[each["name"]] = each["options"][place]
            else:
                config[each["name"]], own[0] = self._number(each, float(own[0]))
            column += width
        return config, point

    def _number(self, each, unit):
        low, high = each["lower"], each["upper"]
        low, high = (math.log(low), math.log(high)) if each["log"] else (low, high)
        value = low + unit * (high - low)
        value = math.exp(value) if each["log"] else value
        if each["kind"] == "float":
            return min(max(value, each["lower"]), each["upper"]), unit
        value = min(max(round(value), each["lower"]), each["upper"])
        return value, self._place(each, value)

    def _place(self, each, value):
        low, high = each["lower"], each["upper"]
        low, high, value = map(math.log, (low, high, value)) if each["log"] else (low, high, value)
        return (value - low) / (high - low)


class Ax(Peer):
    """The client with all defaults: the centre, four Sobol points, then the Gaussian process that Ax chooses."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import logging

        import torch
        from ax.api.client import Client

        torch.set_num_threads(1)
        for handler in logging.getLogger("ax").handlers:
            handler.setLevel(logging.ERROR)
        self.space, self.asked, self.client = space, [], Client(random_seed=seed)
        self.client.configure_experiment(parameters=[self._parameter(each) for each in space])
        self.client.configure_optimization(objective="-value")

    def _parameter(self, each):
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

        if each["kind"] == "choice":
            kind = type(each["options"][0]).__name__
            return ChoiceParameterConfig(each["name"], each["options"], kind, is_ordered=False)
        scaling = "log" if each["log"] else "linear"
        return RangeParameterConfig(each["name"], (each["lower"], each["upper"]), each["kind"], scaling=scaling)

    def ask(self):
        ((number, config),) = self.client.get_next_trials(1).items()
        self.asked.append(number)
        return _plain(self.space, config)

    def tell(self, place, value):
        self.client.complete_trial(self.asked[place], raw_data={"value": value})


class Nevergrad(Peer):
    """NGOpt, which chooses among its algorithms by budget, workers and space."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import nevergrad as ng

        self.space, self.asked = space, []
        parameters = ng.p.Dict(**{each["name"]: self._parameter(ng, each) for each in space})
        parameters.random_state.seed(seed)
        self.optimizer = ng.optimizers.NGOpt(parameters, budget=evaluations, num_workers=parallelism)

    def _parameter(self, ng, each):
        if each["kind"] == "choice":
            return ng.p.Choice(each["options"])
        kind = ng.p.Log if each["log"] else ng.p.Scalar
        parameter = kind(lower=each["lower"], upper=each["upper"])
        return parameter.set_integer_casting() if each["kind"] == "int" else parameter

    def ask(self):
        self.asked.append(self.optimizer.ask())
        return _plain(self.space, self.asked[-1].value)

    def tell(self, place, value):
        self.optimizer.tell(self.asked[place], value)

    def recommend(self):
        return _plain(self.space, self.optimizer.provide_recommendation().value)


class SMAC(Peer):
    """The facade for hyper-parameters: a random forest. Where results are noisy, it is told, and repeats."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        from tempfile import mkdtemp

        from ConfigSpace import ConfigurationSpace
        from smac import HyperparameterOptimizationFacade, Scenario
        from smac.runhistory.dataclasses import TrialValue

        self.space, self.asked, self.value = space, [], TrialValue
        configurations = ConfigurationSpace(seed=seed)
        configurations.add([_hyperparameter(each) for each in space])
        scenario = Scenario(
            configurations, output_directory=mkdtemp(), deterministic=not noisy, n_trials=evaluations, seed=seed
        )
        self.smac = HyperparameterOptimizationFacade(scenario, lambda config, seed: 0.0, logging_level=False)

    def ask(self):
        self.asked.append(self.smac.ask())
        return _plain(self.space, self.asked[-1].config)

    def tell(self, place, value):
        self.smac.tell(self.asked[place], self.value(cost=value))

    def recommend(self):
        best = self.smac.intensifier.get_incumbent()
        return best and _plain(self.space, best)


class ZOOpt(Peer):
    """SRacosTune, as Ray Tune uses it; it stops answering if its first trials end before it is asked again."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import zoopt
        from zoopt.algos.opt_algorithms.racos.sracos import SRacosTune
        from zoopt.utils.zoo_global import gl

        gl.set_seed(seed)
        self.space, self.asked = space, []
        dimension = zoopt.Dimension2([self._entry(zoopt.ValueType, each) for each in space])
        parameter = zoopt.Parameter(budget=evaluations)
        self.optimizer = SRacosTune(dimension=dimension, parameter=parameter, parallel_num=parallelism)

    def _entry(self, kinds, each):
        if each["kind"] == "choice":
            return kinds.GRID, each["options"]
        if each["kind"] == "int" and not each["log"]:
            return kinds.DISCRETE, [each["lower"], each["upper"]], True
        low, high = each["lower"], each["upper"]
        return kinds.CONTINUOUS, [math.log(low), math.log(high)] if each["log"] else [low, high], 1e-12

    def ask(self):
        solution = self.optimizer.suggest()
        while solution is None or isinstance(solution, str):  # "FINISHED": its draws were all tried before
            self.optimizer.semaphore = 1
            solution = self.optimizer.suggest()
        self.asked.append(solution)
        return {each["name"]: self._value(each, x) for each, x in zip(self.space, solution.get_x(), strict=True)}

    def _value(self, each, x):
        if each["kind"] == "choice":
            return next(option for option in each["options"] if option == x)  # not numpy's
        value = math.exp(x) if each["log"] else x
        return min(max(round(value) if each["kind"] == "int" else value, each["lower"]), each["upper"])

    def tell(self, place, value):
        self.optimizer.complete(self.asked[place], value)


class BlendSearch(Peer):
    """FLAML's, with a seed and the number of trials, as its own loop gives them."""

    kind = "BlendSearch"

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import optuna
        from flaml.tune.searcher import blendsearch

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.asked = space, []
        domains = {each["name"]: self._domain(each) for each in space}
        make = getattr(blendsearch, self.kind)
        self.search = make(metric="value", mode="min", space=domains, seed=seed, num_samples=evaluations)

    def _domain(self, each):
        from flaml import tune

        if each["kind"] == "choice":
            return tune.choice(each["options"])
        more = 1 if each["kind"] == "int" else 0
        make = getattr(tune, ("log" if each["log"] else "") + ("randint" if more else "uniform"))
        return make(each["lower"], each["upper"] + more)

    def ask(self):
        config = None
        while config is None:  # nothing but a proposal that was made before
            config = self.search.suggest(str(len(self.asked)))
        self.asked.append(config)
        return _plain(self.space, config)

    def tell(self, place, value):
        self.search.on_trial_complete(str(place), {"value": value, "config": self.asked[place]})


class CFO(BlendSearch):
    kind = "CFO"


class HpBandSter(Peer):
    """BOHB's model without its HyperBand: all results are of one budget."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import numpy as np
        from ConfigSpace import ConfigurationSpace
        from hpbandster.optimizers.config_generators.bohb import BOHB

        np.random.seed(seed)  # noqa: NPY002 - it draws from there
        configurations = ConfigurationSpace(seed=seed)
        configurations.add([_hyperparameter(each) for each in space])
        self.space, self.asked, self.generator = space, [], BOHB(configurations)

    def ask(self):
        config, _ = self.generator.get_config(1.0)
        self.asked.append(config)
        return _plain(self.space, config)

    def tell(self, place, value):
        from types import SimpleNamespace

        told = {"budget": 1.0, "config": self.asked[place]}
        self.generator.new_result(SimpleNamespace(id=place, exception=None, result={"loss": value}, kwargs=told))


class HEBO(Peer):
    """With all defaults. NumPy's and torch's generators have the seed; that of its evolution cannot be given."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        import numpy as np
        import torch
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers import hebo

        np.random.seed(seed)  # noqa: NPY002 - it draws from there
        torch.manual_seed(seed)
        self.space, self.asked = space, []
        self.optimizer = hebo.HEBO(DesignSpace().parse([self._entry(each) for each in space]), scramble_seed=seed)

    def _entry(self, each):
        if each["kind"] == "choice":
            return {"name": each["name"], "type": "cat", "categories": each["options"]}
        kinds = ("int", "pow_int") if each["kind"] == "int" else ("num", "pow")
        return {"name": each["name"], "type": kinds[each["log"]], "lb": each["lower"], "ub": each["upper"]}

    def ask(self):
        self.asked.append(self.optimizer.suggest())
        return _plain(self.space, self.asked[-1].iloc[0])

    def tell(self, place, value):
        import numpy as np

        self.optimizer.observe(self.asked[place], np.array([[value]]))


class SkOpt(Peer):
    """Its Optimizer with all defaults: a Gaussian process that hedges among three acquisitions."""

    def begin(self, space, seed, evaluations, parallelism, noisy):
        from skopt import Optimizer

        self.space, self.asked = space, []
        self.optimizer = Optimizer([self._dimension(each) for each in space], random_state=seed)

    def _dimension(self, each):
        from skopt.space import Categorical, Integer, Real

        if each["kind"] == "choice":
            return Categorical(each["options"])
        kind = Integer if each["kind"] == "int" else Real
        return kind(each["lower"], each["upper"], prior="log-uniform" if each["log"] else "uniform")

    def ask(self):
        self.asked.append(self.optimizer.ask())
        return _plain(self.space, {each["name"]: value for each, value in zip(self.space, self.asked[-1], strict=True)})

    def tell(self, place, value):
        self.optimizer.tell(self.asked[place], value)


def _hyperparameter(each):
    from ConfigSpace import Categorical, Float, Integer

    if each["kind"] == "choice":
        return Categorical(each["name"], each["options"])
    kind = Integer if each["kind"] == "int" else Float
    return kind(each["name"], (each["lower"], each["upper"]), log=each["log"])


def _plain(space, config):
    """Return a config in the order of the space, as JSON can write it: some sort it, or hand out numpy's numbers."""
    values = {each["name"]: config[each["name"]] for each in space}
    return {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}


PEERS = {
    "ax": Ax,
    "optuna-tpe": Optuna,
    "optuna-gp": OptunaGP,
    "hyperopt": HyperOpt,
    "bayesopt": BayesOpt,
    "botorch": BoTorch,
    "nevergrad": Nevergrad,
    "blendsearch": BlendSearch,
    "cfo": CFO,
    "hebo": HEBO,
    "hpbandster": HpBandSter,
    "skopt": SkOpt,
    "smac": SMAC,
    "zoopt": ZOOpt,
}


def main():
    warnings.filterwarnings("ignore")
    peer, out = PEERS[sys.argv[1]](), sys.stdout
    sys.stdout = sys.stderr  # what they print must not come between
    for line in sys.stdin:
        message = json.loads(line)
        what = message.pop("do")
        try:
            answer = getattr(peer, what)(**message)
        except Exception as error:
            print(json.dumps({"error": repr(error)}), file=out, flush=True)
            raise
        print(json.dumps({} if answer is None else {"config": answer}), file=out, flush=True)


if __name__ == "__main__":
    main()
