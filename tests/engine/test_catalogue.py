"""Names stand for schedulers, searchers, and pairs of both."""

import pytest

from trialwright import ASHA, Engine, HyperBand, Random, Simulated
from trialwright.engine import catalogue
from trialwright.engine.catalogue import PAIRS
from trialwright.engine.checking import check
from trialwright.schedulers import PBT, AsyncHyperBand, FreezeThaw, PBTReplay, ResourceChanging
from trialwright.searchers import GP, TPE, Perturb, PriorBand, Schedule
from trialwright.workloads import CrossingCurves

WORK = CrossingCurves(steps=27)


def engine(**keywords):
    told = {"metric": "loss", "num_samples": 12, "executor": Simulated(workers=4), "storage": None, "seed": 0}
    return Engine(WORK, WORK.space, verbose=0, **{**told, **keywords})


def method(**keywords):
    arguments = check(engine(**keywords)._keywords)
    return arguments.scheduler, arguments.searcher


@pytest.mark.parametrize("name", PAIRS)
def test_the_name_of_a_pair_stands_for_its_scheduler_and_its_searcher(name):
    scheduler, searcher = method(scheduler=name.upper())
    assert (scheduler, searcher) == (PAIRS[name].scheduler(), PAIRS[name].searcher())


def test_mobster_is_promoting_asha_with_a_gaussian_process():
    scheduler, searcher = method(scheduler="mobster")
    assert scheduler == ASHA(reduction_factor=3, promote=True)
    assert type(searcher) is GP


def test_bohb_is_hyperband_with_parzen_estimators_and_some_random_trials():
    scheduler, searcher = method(scheduler="bohb")
    assert scheduler == HyperBand()
    assert 0 < searcher.random_fraction < 1
    assert type(searcher) is TPE


def test_settings_of_ones_own_for_the_searcher_of_a_pair_count():
    assert method(scheduler="bohb", searcher=TPE(startup=20))[1] == TPE(startup=20)
    assert method(scheduler="bohb", searcher="tpe")[1] == TPE()


@pytest.mark.parametrize("searcher", ["gp", Random()])
def test_a_searcher_of_another_kind_than_the_pairs_is_refused_by_name(searcher):
    with pytest.raises(ValueError, match=r"scheduler='bohb'.* TPE, not (GP|Random).*scheduler=HyperBand\(\.\.\.\)"):
        method(scheduler="bohb", searcher=searcher)


def test_a_pair_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="scheduler='mobstr' is not known; did you mean 'mobster'"):
        method(scheduler="mobstr")


def test_a_pair_that_is_named_as_a_searcher_is_answered_with_where_it_belongs():
    with pytest.raises(ValueError, match="searcher='bohb' is not known: give it as scheduler='bohb'"):
        method(searcher="bohb")


def test_a_searcher_that_names_brackets_the_scheduler_has_not_is_refused():
    with pytest.raises(ValueError, match=r"PriorBand\(brackets=9\).*AsyncHyperBand has 4"):
        method(scheduler=AsyncHyperBand(27, reduction_factor=3), searcher=PriorBand(9))


@pytest.mark.parametrize("name", PAIRS)
def test_a_run_of_a_pair_is_resumed_without_naming_it_again(name, tmp_path):
    told = {"scheduler": name, "storage": tmp_path}
    begun = engine(**told).run()
    resumed = Engine.resume(begun.path, WORK, executor=Simulated(workers=4), num_samples=16, verbose=0)
    assert {key: resumed._keywords[key] for key in ("scheduler", "searcher")} == {"scheduler": name, "searcher": "auto"}
    again = resumed.run()
    assert len(again) == 16
    assert [each.config for each in again][:12] == [each.config for each in begun]


def test_what_a_pair_is_made_of_is_made_anew_for_each_run():
    assert all(pair.scheduler() is not pair.scheduler() for pair in catalogue.PAIRS.values())


@pytest.mark.parametrize("name", catalogue.SEARCHERS)
def test_a_searcher_as_an_object_is_kept_as_its_name_is(name):
    made = catalogue.SEARCHERS[name]()
    assert catalogue.from_plain(catalogue.to_plain(made)) == made


def test_schedulers_that_need_a_searcher_of_their_own_get_it():
    policy = [(0, {"x": 0.5}), (9, {"x": 0.1})]
    assert catalogue.searcher("random", PBTReplay(policy)) == Schedule([{"x": 0.5}, {"x": 0.1}])
    assert catalogue.searcher("random", PBT()) == Perturb(Random())
    assert catalogue.searcher("auto", FreezeThaw()) == GP()


def test_a_scheduler_that_asks_the_searcher_refuses_one_that_cannot_answer():
    with pytest.raises(ValueError, match="FreezeThaw asks the searcher .* Random cannot answer: use searcher='gp'"):
        catalogue.searcher("random", FreezeThaw())
    with pytest.raises(ValueError, match="FreezeThaw .* cannot be inside another scheduler"):
        catalogue.searcher("gp", ResourceChanging(FreezeThaw()))


def test_an_executor_that_is_none_is_refused():
    with pytest.raises(TypeError, match="executor must be 'ray' or 'processes' or 'local' or an object, not 7"):
        catalogue.executor(7)


@pytest.mark.parametrize("name", ["dragonfly", "SigOpt"])
def test_a_searcher_that_cannot_be_had_says_why_and_when_it_was_tried(name):
    with pytest.raises(ValueError, match=rf"{name}.* \(tried on 20\d\d-\d\d-\d\d\): use searcher='gp'"):
        catalogue.searcher(name, ASHA())
