"""NumPy and torch say the same."""

import numpy as np
import pytest

from tests.searchers.gp.test_searcher import SQUARE, Run, bowl
from trialwright.searchers.gp import GP
from trialwright.searchers.gp.backends import Numpy, backend_of
from trialwright.searchers.gp.model import Data, Model, Prior, fit, loss

GROUPS = np.array([0, 1, 2, 2])
PRIOR = Prior(3)


@pytest.fixture(scope="module")
def torch_backend():
    pytest.importorskip("torch")
    return backend_of("cpu")


@pytest.fixture
def pair(torch_backend):
    generator = np.random.default_rng(0)
    features = generator.random((40, 4))
    y = np.sin(4 * features).sum(1)
    return [Data(features, GROUPS, each) for each in (Numpy(), torch_backend)], (y - y.mean()) / y.std()


def test_losses_and_gradients_agree(pair):
    datas, y = pair
    (a, da), (b, db) = (loss(PRIOR.mean, data, y, PRIOR) for data in datas)
    assert a == pytest.approx(b, rel=1e-9)
    assert np.allclose(da, db, rtol=1e-6, atol=1e-9)


def test_fits_agree(pair):
    datas, y = pair
    a, b = (fit(data, y, PRIOR, PRIOR.mean[None]) for data in datas)
    assert np.allclose(a, b, atol=1e-6)


def test_posteriors_and_their_gradients_agree_with_rows_appended_too(pair):
    datas, y = pair
    rows, generator = np.random.default_rng(1).random((9, 4)), np.random.default_rng(2)
    d_mean, d_sd = generator.normal(size=(9, 1)), generator.normal(size=9)
    models = [Model.of(PRIOR.mean, data, y) for data in datas]
    more = [model.extended(rows[:3], np.r_[model.y, np.ones((3, 1))]) for model in models]
    for numpy_model, torch_model in (models, more):
        a, b = numpy_model.at(rows), torch_model.at(rows)
        assert np.allclose(a.mean, b.mean, atol=1e-6)
        assert np.allclose(a.sd, b.sd, atol=1e-6)
        assert np.allclose(a.pull_back(d_mean, d_sd), b.pull_back(d_mean, d_sd), atol=1e-6)
        assert np.allclose(numpy_model.smoothed(), torch_model.smoothed(), atol=1e-6)
        both = zip(*(model.covariances(np.array([1, 5])) for model in (numpy_model, torch_model)), strict=True)
        assert all(np.allclose(*each, atol=1e-6) for each in both)


def test_a_search_on_a_device_finds_what_one_without_finds(torch_backend):
    assert Run(SQUARE, GP(device="cpu")).drive(bowl, 20).min() < 1e-3


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="without it, NumPy is used"):
        Run(SQUARE, GP(device="nowhere"))
