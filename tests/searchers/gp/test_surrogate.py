"""Which observations a model looks at."""

import numpy as np

from trialwright.searchers.gp.surrogate import representative


def test_few_rows_are_all_kept():
    assert representative(np.arange(10.0), 10).tolist() == list(range(10))


def test_of_many_the_best_and_the_newest_and_some_of_all_others_are_kept():
    badness = np.random.default_rng(0).permutation(5000).astype(float)
    rows = representative(badness, 400)
    assert len(rows) == len(set(rows.tolist())) == 400
    assert set(np.argsort(badness)[:100]) <= set(rows)
    assert set(range(4900, 5000)) <= set(rows)
    assert np.all(np.histogram(rows, bins=10, range=(0, 5000))[0] >= 15)
