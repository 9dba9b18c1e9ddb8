"""Ray Tune's classes of domains."""

import numpy as np
import pytest
from ray import tune as ray_tune
from trialwright.tune.search.sample import LogUniform, Normal, Quantized, Uniform

from trialwright import space, tune
from trialwright.tune.domains import Categorical, Float, Function, Integer
from trialwright.tune.spaces import RecursiveDependencyError, as_space, generate_variants


@pytest.mark.parametrize(
    ("described", "domain"),
    [
        (Float(0, 1), space.uniform(0, 1)),
        (Float(0.001, 0.1).loguniform(), space.loguniform(0.001, 0.1)),
        (Float(0, 1).uniform().quantized(0.1), space.quniform(0, 1, 0.1)),
        (Float(0.1, 1).loguniform().quantized(0.1), space.qloguniform(0.1, 1, 0.1)),
        (Float(None, None).normal(1, 2), space.randn(1, 2)),
        (Float(None, None).normal(1, 2).quantized(0.5), space.qrandn(1, 2, 0.5)),
        (Integer(1, 9), space.randint(1, 9)),
        (Integer(1, 9).loguniform(), space.lograndint(1, 9)),
        (Integer(0, 9).quantized(3), space.qrandint(0, 9, 3)),
        (Integer(3, 9).loguniform().quantized(3), space.qlograndint(3, 9, 3)),
        (Categorical(["a", 1]).uniform(), space.choice(["a", 1])),
        (
            Categorical([Integer(0, 3), {"x": Float(0, 1)}]),
            space.choice([space.randint(0, 3), {"x": space.uniform(0, 1)}]),
        ),
    ],
)
def test_each_is_a_domain_of_the_engine(described, domain):
    assert described.domain() == domain
    assert repr(as_space({"nested": {"x": described}})) == repr(as_space({"nested": {"x": domain}}))
    assert tune.choice([described, 0.5]) == tune.choice([domain, 0.5])


def _named(module, choice):
    """Return domains of a module of Ray's or of ours, by the names of what made them."""
    return {
        "uniform": module.uniform(0, 1),
        "loguniform": module.loguniform(0.1, 1),
        "quniform": module.quniform(0, 1, 0.5),
        "randint": module.randint(0, 10),
        "qrandint": module.qrandint(0, 10, 2),
        "lograndint": module.lograndint(1, 8),
        "randn": module.randn(1, 2),
        "qrandn": module.qrandn(1, 2, 0.5),
        "choice": module.choice(choice),
        "sample_from": module.sample_from(len),
    }


def _told(domain):
    """Return what a domain says of itself."""
    sampler = domain.get_sampler()
    inner = getattr(sampler, "sampler", None)
    of = [type(each).__mro__ for each in (sampler, inner) if each is not None]
    kinds = [next(each.__name__ for each in kind if not each.__name__.startswith("_")) for kind in of]
    numbers = [getattr(each, name, None) for each in (sampler, inner) for name in ("q", "mean", "sd")]
    return kinds, numbers, domain.domain_str, domain.is_function(), domain.is_grid(), domain.is_valid(-99)


def test_a_domain_says_of_itself_what_ray_tunes_says():
    theirs, ours = _named(ray_tune, [1, "a"]), _named(tune, [1, "a"])
    for name, domain in ours.items():
        if name != "sample_from":
            assert _told(domain) == _told(theirs[name]), name
            assert type(domain.cast(2)) is type(theirs[name].cast(2)), name
    assert (ours["sample_from"].is_function(), ours["sample_from"].is_valid(99)) == (True, True)
    assert ours["sample_from"].domain_str == theirs["sample_from"].domain_str
    assert as_space({"g": tune.grid_search([1])}).parameters[0].domain.is_grid()


def test_what_cannot_be_drawn_is_not_valid():
    assert not tune.randint(0, 10).is_valid(10)
    assert not tune.quniform(0, 1, 0.5).is_valid(0.3)
    assert tune.choice([1, "a"]).is_valid("a")


def test_how_a_described_domain_is_drawn_from_can_be_said_once_unless_it_is_to_be_overridden():
    described = Float(0.5, 8)
    described.set_sampler(LogUniform())
    assert described.domain() == space.loguniform(0.5, 8)
    with pytest.raises(ValueError, match="already"):
        described.set_sampler(Uniform())
    described.set_sampler(Quantized(Uniform(), 0.5), allow_override=True)
    assert (described.domain(), described.get_sampler()) == (space.quniform(0.5, 8, 0.5), Quantized(Uniform(), 0.5))
    normal = Float(None, None)
    normal.set_sampler(Normal(1, 2))
    assert normal.domain() == space.randn(1, 2)
    with pytest.raises(ValueError, match="cannot be drawn from by"):
        Integer(0, 5).set_sampler(Normal())
    with pytest.raises(ValueError, match="write another domain"):
        tune.uniform(0, 1).set_sampler(LogUniform(), allow_override=True)
    assert len(Categorical([3, 4])) == 2
    assert (Categorical([3, 4])[1], Categorical([3, 4]).grid()) == (4, tune.grid_search([3, 4]))


def test_a_function_sees_the_config():
    config = as_space({"x": Integer(2, 3), "y": Function(lambda spec: spec.config.x * 2)})
    assert config.sample(1, np.random.default_rng(0))[0] == {"x": 2, "y": 4}


def test_variants_are_a_sample_of_a_space_and_what_varies_in_it():
    spec = {
        "run": "mine",
        "config": {"a": tune.grid_search([1, 2]), "x": tune.uniform(0, 1), "y": lambda spec: spec.config.a},
    }
    for constant, different in ((True, 1), (False, 2)):
        found = list(generate_variants(spec, constant, random_state=1))
        assert [(config["run"], config["config"]["a"], config["config"]["y"]) for _, config in found] == [
            ("mine", 1, 1),
            ("mine", 2, 2),
        ]
        assert len({config["config"]["x"] for _, config in found}) == different
        for settings, config in found:
            assert settings == {("config", name): value for name, value in config["config"].items()}
    with pytest.raises(RecursiveDependencyError, match="`b` recursively depends on `b`"):
        list(generate_variants({"b": tune.sample_from(lambda spec: spec.config.b)}))


def test_a_function_may_be_drawn_from_beside_a_config():
    assert tune.sample_from(lambda spec: spec.config.x + 1).sample({"x": 2}) == 3
    assert tune.uniform(0, 1).sample(None, 3, 1) == tune.uniform(0, 1).sample(size=3, random_state=1)


def test_a_described_domain_is_drawn_from_as_others_are():
    assert Float(0, 1).sample(random_state=1) == tune.uniform(0, 1).sample(random_state=1)
    assert len(Integer(0, 5).sample(size=3)) == 3


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Float(0, 1).uniform().loguniform(), "above 0"),
        (lambda: Float(1, 2).uniform().loguniform(), "already"),
        (lambda: Float(None, None).loguniform(), "above 0"),
        (lambda: Float(0, 32).quantized(3), "32 is no multiple"),
        (lambda: Float(None, 1).domain(), "needs a lower and an upper bound"),
        (lambda: Float(0, 1).normal().domain(), "no bounds"),
    ],
)
def test_what_makes_no_sense_is_refused(make, why):
    with pytest.raises(ValueError, match=why):
        make()


def test_a_searchers_own_space_may_have_described_domains():
    pytest.importorskip("hyperopt", exc_type=ImportError)
    searcher = tune.create_searcher("hyperopt", space={"x": Categorical(["a", "b"])}, metric="loss", mode="min")
    assert searcher.suggest("0")["x"] in ("a", "b")
