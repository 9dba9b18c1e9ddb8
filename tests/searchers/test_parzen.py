import numpy as np
import pytest

from trialwright import space
from trialwright.searchers.parzen import EVEN, Bandwidths, Columns, Parzen
from trialwright.space import Space

MIXED = Space(
    {
        "x": space.uniform(0, 1),
        "n": space.randint(0, 5),
        "m": space.choice(["a", {"y": space.uniform(0, 1)}, "c"]),
        "o": space.ordinal([1, 2, 3]),
    }
)


def density(trials: int = 5, seed: int = 0) -> Parzen:
    units = MIXED.snap(np.random.default_rng(seed).random((trials, MIXED.dimension)))
    columns, weights, widths = Columns(MIXED), np.arange(1.0, trials + 1), Bandwidths(magnitude=0.3)
    return Parzen(
        columns,
        units,
        MIXED.active(units),
        weights,
        widths=widths.alike(columns, trials),
        blur=widths.blurred(columns, trials),
        even=0.7,
    )


def log_density(parzen: Parzen, units: np.ndarray) -> np.ndarray:
    active = MIXED.active(units)
    return parzen.log_density(units, active, Columns(MIXED).features(units, active))


class TestADensity:
    def test_integrates_to_one(self):
        even = np.random.default_rng(1).random((200_000, MIXED.dimension))
        assert np.mean(np.exp(log_density(density(), even))) == pytest.approx(1, abs=0.02)

    def test_is_that_of_what_it_draws(self):
        parzen = density()
        drawn, even = (parzen.draw(100_000, np.random.default_rng(2)), np.random.default_rng(3).random((100_000, 5)))
        weights = np.exp(log_density(parzen, even))
        drawn, even = MIXED.snap(drawn), MIXED.snap(even)  # where in its cell an option is drawn says nothing
        for column in (0, 1, 2, 4):  # column 3 is inactive in most
            assert np.mean(drawn[:, column]) == pytest.approx(np.mean(even[:, column] * weights), abs=0.01)
            assert np.std(drawn[:, column]) == pytest.approx(
                np.sqrt(np.mean(weights * (even[:, column] - np.mean(drawn[:, column])) ** 2)), abs=0.01
            )

    def test_of_no_trials_is_even(self):
        assert log_density(density(0), np.random.default_rng(0).random((9, 5))) == pytest.approx(0)


class TestFittedWidths:
    WIDTHS = Bandwidths(least=0.0, cell=0.0)

    def fitted(self, units, weights=None, definition=None):
        what = Space(definition or {"x": space.uniform(0, 1), "y": space.uniform(0, 1)})
        units = np.asarray(units, dtype=np.float64)
        weights = np.ones(len(units)) if weights is None else np.asarray(weights)
        return self.WIDTHS.fitted(Columns(what), units, what.active(units), weights)

    def test_are_narrow_in_a_column_where_good_trials_agree(self):
        narrow, wide = self.fitted([[0.5, 0.1], [0.52, 0.9], [0.48, 0.4], [0.51, 0.6]] * 5)
        assert narrow < wide / 2

    def test_of_one_trial_are_nearly_those_of_even_draws(self):
        even = self.WIDTHS.spread * np.sqrt(EVEN)
        assert self.fitted([[0.2, 0.9]]) == pytest.approx([0.8 * even] * 2)  # its doubt is that of four draws of five

    def test_count_trials_by_their_weights(self):
        few = self.fitted([[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]], [1.0, 1.0, 1e-12])
        even = self.fitted([[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]])
        assert np.all(few < even)

    def test_look_only_at_trials_that_have_the_column(self):
        branch = {"m": space.choice(["a", {"y": space.uniform(0, 1)}])}
        absent = self.fitted([[0.2, 0.5]] * 4, definition=branch)
        present = self.fitted([[0.2, 0.5], [0.2, 0.5], [0.8, 0.3], [0.8, 0.3]], definition=branch)
        shrinking = self.WIDTHS.shrinking(Columns(Space(branch)), 4)
        assert absent == pytest.approx([self.WIDTHS.spread * np.sqrt(EVEN) * shrinking])
        assert present < absent

    def test_are_no_narrower_than_a_part_of_a_cell(self):
        what = Space({"n": space.randint(0, 5)})
        widths = Bandwidths(cell=0.6).fitted(Columns(what), np.full((50, 1), 0.5), np.ones((50, 1), bool), np.ones(50))
        assert widths == pytest.approx([0.6 / 5])
