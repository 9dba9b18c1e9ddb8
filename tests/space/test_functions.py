"""sample_from: what functions see, the order they are called in, their random draws, and their errors."""

import copy
import random

import numpy as np
import pytest

from trialwright import space
from trialwright.space.functions import ConfigView, seeded

from .test_space import rng


def sampled(definition, seed=0):
    return space.Space(definition).sample(1, rng(seed))[0]


def test_both_ways_of_writing_work():
    config = sampled(
        {
            "lr": space.uniform(0, 1),
            "item": space.sample_from(lambda config: config["lr"] * 2),
            "attribute": space.sample_from(lambda config: config.lr * 2),
            "spec": space.sample_from(lambda spec: spec.config.lr * 2),
            "both": space.sample_from(lambda spec: spec["config"]["lr"] * 2),
        }
    )
    assert {config[key] for key in ["item", "attribute", "spec", "both"]} == {config["lr"] * 2}


def test_a_key_called_config_is_the_users():
    assert sampled({"config": {"lr": 3}, "x": space.sample_from(lambda c: c.config.lr)})["x"] == 3


def test_functions_wait_for_one_another():
    config = sampled(
        {
            "d": space.sample_from(lambda c: c["layers"][-1] + c["n"]["c"]),
            "n": {"c": space.sample_from(lambda c: c.b + 1), "list": [1, 2]},
            "b": space.sample_from(lambda c: c.a + 1),
            "layers": [space.randint(5, 6), space.sample_from(lambda c: c["layers"][0] * 2)],
            "a": 1,
            "rest": space.sample_from(lambda c: c["layers"][:1]),
        }
    )
    assert config["b"] == 2
    assert config["n"]["c"] == 3
    assert config["layers"] == [5, 10]
    assert config["d"] == 13
    assert config["rest"] == [5]


def test_get_and_hasattr_wait_too():
    config = sampled(
        {
            "x": space.sample_from(lambda c: c.get("y", 0)),
            "z": space.sample_from(lambda c: c.y if hasattr(c, "y") else 0),
            "y": space.sample_from(lambda: 5),
            "w": space.sample_from(lambda c: c.get("nothing", "default")),
            "v": space.sample_from(lambda c: ("y" in c, "nothing" in c, hasattr(c, "nothing"))),
        }
    )
    assert (config["x"], config["z"], config["w"], config["v"]) == (5, 5, "default", (True, False, False))


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (lambda: 7, 7),
        (lambda k=7: k, 7),
        (lambda *extra: len(extra), 0),
        (lambda config, k=2: config["one"] + k, 3),
        (lambda config: np.int64(config["one"]), 1),
        (lambda config: config["group"], {"a": [1, {"b": 2}]}),
        (lambda config: config["group"]["a"], [1, {"b": 2}]),
        (lambda config: len(config), 3),
        (lambda config: sorted(config), ["group", "one", "x"]),
        (lambda config: copy.copy(config.group)["a"][0], 1),
    ],
)
def test_what_functions_take_and_give(function, value):
    found = sampled({"one": 1, "group": {"a": [1, {"b": 2}]}, "x": space.sample_from(function)})["x"]
    assert found == value
    assert type(found) is type(value)


def test_functions_without_a_signature_are_called_without_arguments():
    assert 0 <= sampled({"x": space.sample_from(np.random.rand)})["x"] <= 1
    assert sampled({"x": space.sample_from(dict)})["x"] == {}


def test_the_view_is_read_only():
    with pytest.raises(ValueError, match="x: its sample_from function raised TypeError"):
        sampled(
            {"a": 1, "x": space.sample_from(lambda c: c.__setitem__("a", 2) if hasattr(c, "__setitem__") else c[0:1])}
        )
    assert not hasattr(ConfigView({}), "__setitem__")
    assert repr(ConfigView({"a": 1})) == "ConfigView({'a': 1})"


def test_views_share_nothing_with_the_config():
    config = sampled({"group": {"a": [1]}, "x": space.sample_from(lambda c: c["group"])})
    config["x"]["a"].append(2)
    assert config["group"] == {"a": [1]}


def test_cycles_are_named():
    with pytest.raises(ValueError, match="depend on one another in a cycle") as caught:
        sampled(
            {
                "a": space.sample_from(lambda c: c["b"]),
                "b": space.sample_from(lambda c: c["n"]["c"]),
                "n": {"c": space.sample_from(lambda c: c["a"])},
                "fine": space.sample_from(lambda: 1),
            }
        )
    assert str(caught.value).startswith(
        "`a` recursively depends on `b`; `b` recursively depends on `n/c`; `n/c` recursively depends on `a` ("
    )


def test_a_function_that_asks_for_itself():
    with pytest.raises(ValueError, match="`a` recursively depends on `a`"):
        sampled({"a": space.sample_from(lambda c: c["a"])})


@pytest.mark.parametrize("function", [lambda c: c["lrr"], lambda c: c.lrr, lambda c: c.config.lrr])
def test_missing_keys_are_named(function):
    with pytest.raises(ValueError, match=r"n/x: its sample_from function asked for a key that does not exist: '?lrr"):
        sampled({"lr": 1, "n": {"x": space.sample_from(function)}})


def test_other_errors_are_wrapped():
    with pytest.raises(ValueError, match=r"x: .* raised ZeroDivisionError: division by zero") as caught:
        sampled({"x": space.sample_from(lambda: 1 / 0)})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


DRAWS = {
    "python": space.sample_from(lambda: random.random()),
    "numpy": space.sample_from(lambda: np.random.rand()),
    "other": space.sample_from(lambda: random.random()),
}


def test_global_generators_are_seeded_and_restored():
    python, numpy = random.getstate(), np.random.get_state()
    first, second = sampled(DRAWS), sampled(DRAWS)
    assert first == second
    assert first != sampled(DRAWS, seed=1)
    assert first["python"] != first["other"]
    assert random.getstate() == python
    assert all(np.array_equal(one, other) for one, other in zip(np.random.get_state(), numpy, strict=True))


def test_configs_of_one_call_differ():
    assert len({config["python"] for config in space.Space(DRAWS).sample(20, rng())}) == 20


def test_generators_are_restored_after_an_error():
    state = random.getstate()
    with pytest.raises(RuntimeError), seeded(1):
        random.random()
        raise RuntimeError
    assert random.getstate() == state


def test_waiting_does_not_change_the_random_state():
    late = {"x": space.sample_from(lambda c: random.random() + 0 * c["y"]), "y": space.sample_from(lambda: 1)}
    early = {"x": space.sample_from(lambda: random.random()), "y": space.sample_from(lambda: 1)}
    assert sampled(late)["x"] == sampled(early)["x"]


def test_without_an_rng_functions_are_refused():
    what = space.Space({"x": space.uniform(0, 1), "f": space.sample_from(lambda: 1)})
    with pytest.raises(ValueError, match=r"f: sample_from needs an rng"):
        what.decode(np.full((1, 1), 0.5))
    assert what.dimension == 1
    assert what.decode(np.full((1, 1), 0.5), rng()) == [{"x": 0.5, "f": 1}]


def test_only_functions_of_the_taken_branch_are_called():
    what = space.Space(
        {"m": space.choice([{"x": space.sample_from(lambda: 1)}, {"x": space.sample_from(lambda: 1 / 0)}])}
    )
    assert what.decode(np.full((1, 1), 0.1), rng()) == [{"m": {"x": 1}}]
    assert what.at(0, rng()) == {"m": {"x": 1}}
    assert what.cardinality == 2
    assert what.validate({"m": {"x": "anything"}}) == []


def test_domains_that_a_function_returns_are_drawn_from():
    what = space.Space(
        {
            "depth": space.randint(2, 5),
            "units": space.sample_from(lambda spec: [space.choice([16, 32])] * spec.config.depth),
            "grid": space.sample_from(lambda: space.grid_search([1, 2])),
            "nested": space.sample_from(lambda: {"lr": space.loguniform(1e-3, 1), "k": (space.randint(0, 3), "k")}),
            "total": space.sample_from(lambda config: sum(config["units"])),
        }
    )
    configs = what.sample(50, np.random.default_rng(0))
    assert all(len(config["units"]) == config["depth"] for config in configs)
    assert {unit for config in configs for unit in config["units"]} == {16, 32}
    assert {config["grid"] for config in configs} == {1, 2}
    assert all(1e-3 <= config["nested"]["lr"] <= 1 and config["nested"]["k"][0] in range(3) for config in configs)
    assert all(config["total"] == sum(config["units"]) for config in configs)
    assert configs == what.sample(50, np.random.default_rng(0))


def test_functions_that_a_function_returns_are_called_in_turn():
    inner = space.sample_from(lambda config: config["x"] + 1)
    what = space.Space({"x": space.randint(0, 9), "y": space.sample_from(lambda: {"a": inner, "b": [inner]})})
    (config,) = what.sample(1, np.random.default_rng(0))
    assert config["y"] == {"a": config["x"] + 1, "b": [config["x"] + 1]}


def test_functions_that_return_functions_without_an_end_are_refused():
    def again():
        return space.sample_from(again)

    with pytest.raises(ValueError, match="y: its sample_from function keeps returning another sample_from"):
        space.Space({"y": space.sample_from(again)}).sample(1, np.random.default_rng(0))
