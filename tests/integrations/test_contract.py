"""What every searcher must keep, the libraries' do too, on the same spaces."""

from typing import ClassVar

import pytest

from tests.contracts.searcher import SPACES, SearcherContract
from trialwright.integrations import (
    CFO,
    HEBO,
    SMAC,
    Ax,
    BayesOpt,
    BlendSearch,
    BoTorch,
    HpBandSter,
    HyperOpt,
    Nevergrad,
    Optuna,
    SkOpt,
    ZOOpt,
)
from trialwright.searchers import Problem
from trialwright.space import Space

pytestmark = pytest.mark.slow  # what is ours in them, the adapter, has quicker tests


class TestHyperOpt(SearcherContract):
    def make(self):
        pytest.importorskip("hyperopt")
        return HyperOpt(n_initial_points=4)

    def ready(self, space):
        """As in ``TestBayesOpt``."""
        searcher = self.make()
        searcher.n_initial_points = 4 if space.dimension <= 10 else 40
        assert searcher.setup(Problem(space)) >= 1
        return searcher


class TestOptuna(SearcherContract):
    def make(self):
        pytest.importorskip("optuna")
        return Optuna()


@pytest.mark.filterwarnings("ignore")  # Nevergrad uses what NumPy has deprecated
class TestNevergrad(SearcherContract):
    def make(self):
        pytest.importorskip("nevergrad")
        return Nevergrad()


class TestBayesOpt(SearcherContract):
    spaces: ClassVar[dict[str, Space]] = {name: each for name, each in SPACES.items() if name != "conditional"}

    def make(self):
        pytest.importorskip("bayes_opt")
        return BayesOpt(random_search_steps=9)

    def ready(self, space):
        """The model is slow where there are many columns; drawing is what is tested there."""
        searcher = self.make()
        searcher.random_search_steps = 22 if space.dimension <= 3 else 40
        assert searcher.setup(Problem(space)) >= 1
        return searcher


class TestZOOpt(SearcherContract):
    spaces: ClassVar[dict[str, Space]] = {name: each for name, each in SPACES.items() if name != "conditional"}

    def make(self):
        pytest.importorskip("zoopt")
        return ZOOpt()


class TestAx(SearcherContract):
    def make(self):
        pytest.importorskip("ax")
        return Ax()

    def ready(self, space):
        """As in ``TestBayesOpt``. In one dimension the model is asked a few times: it takes seconds."""
        searcher = self.make()
        searcher.n_initial_points = 29 if space.dimension <= 1 else 40
        assert searcher.setup(Problem(space)) >= 1
        return searcher


class TestBoTorch(SearcherContract):
    spaces: ClassVar[dict[str, Space]] = {name: each for name, each in SPACES.items() if name != "conditional"}

    def make(self):
        pytest.importorskip("botorch")
        return BoTorch(n_initial_points=9, num_restarts=2, raw_samples=32)

    def ready(self, space):
        """As in ``TestAx``."""
        searcher = self.make()
        searcher.n_initial_points = 25 if space.dimension <= 1 else 40
        assert searcher.setup(Problem(space)) >= 1
        return searcher


class TestFLAML(SearcherContract):
    spaces: ClassVar[dict[str, Space]] = {name: each for name, each in SPACES.items() if name != "conditional"}

    @pytest.fixture(params=[CFO, BlendSearch], autouse=True)
    def search(self, request):
        self.cls = request.param

    def make(self):
        pytest.importorskip("optuna")
        pytest.importorskip("flaml.tune.searcher.blendsearch", exc_type=ImportError)
        return self.cls()


class TestHpBandSter(SearcherContract):
    def make(self):
        pytest.importorskip("ConfigSpace")
        pytest.importorskip("hpbandster")
        return HpBandSter()


class TestSkOpt(SearcherContract):
    spaces: ClassVar[dict[str, Space]] = {name: each for name, each in SPACES.items() if name != "conditional"}

    def make(self):
        pytest.importorskip("skopt")
        return SkOpt(n_initial_points=9, options={"acq_func": "EI"})

    def ready(self, space):
        """As in ``TestBayesOpt``."""
        searcher = self.make()
        searcher.n_initial_points = 9 if space.dimension <= 3 else 40
        assert searcher.setup(Problem(space)) >= 1
        return searcher


class TestSMAC(SearcherContract):
    def make(self):
        pytest.importorskip("smac")
        return SMAC(n_initial_points=9, n_trees=4)

    def ready(self, space):
        """As in ``TestBayesOpt``."""
        searcher = self.make()
        searcher.n_initial_points = 9 if space.dimension <= 1 else 40
        assert searcher.setup(Problem(space)) >= 1
        return searcher


class TestHEBO(SearcherContract):
    spaces: ClassVar[dict[str, Space]] = {name: each for name, each in SPACES.items() if name != "conditional"}

    def make(self):
        pytest.importorskip("hebo")
        return HEBO(n_initial_points=9, generations=2)

    def ready(self, space):
        """As in ``TestAx``."""
        searcher = self.make()
        searcher.n_initial_points = 29 if space.dimension <= 1 else 40
        assert searcher.setup(Problem(space)) >= 1
        return searcher
