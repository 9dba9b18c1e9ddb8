"""What seeded searchers suggest stays the same from version to version.

When a searcher changes on purpose, ``python -m tests.searchers.test_golden`` writes the file anew; the change shows in
the diff, and belongs in CHANGELOG.md.
"""

import json
import math
from pathlib import Path

import pytest

from trialwright import AskTell, space

GOLDEN = Path(__file__).with_name("golden.json")
NUMBERS = {
    "lr": space.loguniform(1e-5, 1e-1),
    "units": space.lograndint(16, 513),
    "batch": space.qrandint(8, 128, 8),
    "dropout": space.quniform(0, 0.5, 0.1),
    "noise": space.randn(0, 2),
    "size": space.ordinal(["s", "m", "l"]),
}
MIXED = {
    **NUMBERS,
    "kernel": space.choice(["rbf", "linear", None]),
    "model": space.choice([{"depth": space.randint(1, 9)}, {"C": space.loguniform(1e-3, 1e3)}]),
}
SEARCHERS = ["random", "sobol", "halton", "lhs", "grid", "tpe", "nsga2", "dehb", "cmaes", "gp", "auto"]
MODELS = ["gp", "auto"]  # the last digits of whose linear algebra decide between points that are equally good
COUNT = 5


def study_of(searcher):
    what = NUMBERS if searcher == "cmaes" else MIXED
    if searcher == "grid":
        what = {"a": space.choice([1, None]), "b": space.randint(0, 3)}
    return AskTell(what, searcher=searcher, seed=7, num_samples=50)


def loss(config):
    """A bowl, of which each option has its own depth; its least value is 0."""
    if "a" in config:
        return float(config["b"])
    off = math.log10(config["lr"]) + 3
    wide = math.log2(config["units"] / 100) + config["batch"] / 64 - 1
    value = off**2 / 4 + wide**2 / 4 + (config["dropout"] - 0.2) ** 2 + (config["noise"] / 4) ** 2
    value += 0.3 * (config["size"] != "m") + 0.2 * (config.get("kernel") != "linear")
    model = config.get("model", {"depth": 4})
    return float(value + (abs(model["depth"] - 4) / 10 if "depth" in model else 0.5))


def told(study, count):
    for _ in range(count):
        study.tell(trial := study.ask(), loss(trial.config))
    return study


def suggested(searcher):
    """The first suggestions, and those that come once there is something to learn from: one by one, and as a batch."""
    study = study_of(searcher)
    first = [trial.config for trial in told(study, COUNT).trials]
    return {"first": first, "batch after 40": [trial.config for trial in told(study, 35).ask(COUNT)]}


def leaves(data):
    if isinstance(data, dict):
        return [leaf for item in data.values() for leaf in leaves(item)]
    return [leaf for item in data for leaf in leaves(item)] if isinstance(data, list) else [data]


def same(now, then):
    assert len(leaves(now)) == len(leaves(then))
    for one, other in zip(leaves(now), leaves(then), strict=True):
        assert one == (pytest.approx(other, rel=1e-6) if isinstance(other, float) else other)


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("searcher", [name for name in SEARCHERS if name not in MODELS])
def test_suggestions_are_those_of_the_golden_file(searcher, golden):
    same(suggested(searcher), golden[searcher])


@pytest.mark.parametrize("searcher", MODELS)
def test_models_begin_with_the_points_of_the_golden_file_and_end_as_well(searcher, golden):
    study = study_of(searcher)
    first = [trial.config for trial in told(study, COUNT).trials]
    same(first, golden[searcher]["first"])
    best = told(study, 50 - COUNT).best.metrics["value"]
    assert best < 2 * golden[searcher]["best of 50"] + 0.05


def described(searcher):
    if searcher not in MODELS:
        return suggested(searcher)
    best = told(study_of(searcher), 50).best.metrics["value"]
    return {"first": suggested(searcher)["first"], "best of 50": round(best, 4)}


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(described(name))}" for name in SEARCHERS]  # one for each searcher
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
