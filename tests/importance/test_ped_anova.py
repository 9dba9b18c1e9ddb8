"""PED-ANOVA: its divergences, what is expected by chance, and which trials are good."""

from __future__ import annotations

import numpy as np
import pytest

from trialwright.columns import Column
from trialwright.importance.ped_anova import Good, cells, prefix, scores

TENTH = Good(0.1, 1.0)


def score(column, costs, good=TENTH):
    return scores([column], costs, good, 20, np.random.default_rng(0))[0][0]


def test_the_divergence_of_a_parameter_that_decides_alone_is_the_known_one():
    x = np.random.default_rng(0).random(20_000)
    # The best tenth has density 10 on a tenth of the axis: 0.1 * (10 - 1)^2 + 0.9 * 1 = 9.
    assert score(Column("x", x), x) == pytest.approx(9, rel=0.05)
    assert score(Column("x", x), x, Good(0.1, 0.5)) == pytest.approx(4, rel=0.05)  # a fifth of the better half


@pytest.mark.parametrize("kinds", [2, 10, 200])
def test_a_parameter_without_effect_has_a_score_near_zero_however_many_values_it_has(kinds):
    rng = np.random.default_rng(kinds)
    names = tuple(map(str, range(kinds)))
    found = [score(Column("x", rng.integers(0, kinds, 2000) * 1.0, names), rng.random(2000)) for _ in range(20)]
    assert np.mean(found) < 0.1


def test_the_axis_of_a_parameter_does_not_matter():
    x = np.random.default_rng(0).uniform(0.1, 10, 1000)
    costs = np.abs(x - 3)
    assert score(Column("x", x), costs) == score(Column("x", np.log(x), log=False), costs) > 1


def test_a_parameter_is_judged_among_the_trials_that_have_it():
    rng = np.random.default_rng(0)
    x, costs = rng.random(2000), rng.random(2000)
    costs[:400] = 10 + x[:400]  # all worse than the others
    x[400:] = np.nan
    assert score(Column("x", x), costs) > 5


@pytest.mark.parametrize(
    ("costs", "wanted", "size"),
    [
        ([1, 2, 3, 4, 5, 6], 2, 2),
        ([1, 2, 2, 2, 3, 4], 2, 1),  # one is nearer to two than four are
        ([1, 1, 1, 2, 3, 4], 1, 3),  # there are none that are better
        ([1, 2, 2, 2, 2, 2], 3, 1),  # all are no part
        ([2, 2, 2, 2, 2, 2], 3, 6),
    ],
)
def test_trials_of_the_same_cost_are_good_together_or_not_at_all(costs, wanted, size):
    assert prefix(np.array(costs, np.float64), np.arange(1, 7), wanted) == size


def test_few_different_values_have_a_cell_each_and_many_share_them_evenly():
    assert cells(np.array([7.0, 3.0, 7.0, 5.0]), 3).tolist() == [2, 0, 2, 1]
    assert np.bincount(cells(np.random.default_rng(0).random(1000), 8)).tolist() == [125] * 8
    assert len(set(cells(np.repeat([0.5, *np.linspace(0, 1, 9)], [100, *[1] * 9]), 4)[:100])) == 1


def test_a_resample_is_no_better_than_the_trials_themselves_on_average():
    rng = np.random.default_rng(1)
    x = rng.random(200)
    own, drawn = scores([Column("x", x)], x + rng.normal(0, 0.3, 200), TENTH, 400, rng)
    assert drawn.mean() == pytest.approx(own[0], rel=0.15)
