"""Nevergrad, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trialwright.integrations import Nevergrad
from trialwright.tune.search.library import LibrarySearcher


class NevergradSearch(LibrarySearcher):
    """Nevergrad's optimizers (``pip install nevergrad``).

    Args:
        optimizer: a class, a configured optimizer, or an optimizer of Nevergrad's, or a name of its registry; "NGOpt"
            by default.
        optimizer_kwargs: what it is made with; ``budget`` and ``num_workers`` are the run's by default.
        space: a dict of Nevergrad's parameters, or a parametrization with names, which counts instead of
            ``param_space``; this may then hold constants only.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first: of ``param_space`` whole or in part, of ``space`` whole.
    """

    library = Nevergrad

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        optimizer: Any = None,  # noqa: ANN401 - Nevergrad may not be there when types are checked
        optimizer_kwargs: Mapping[str, Any] | None = None,
        space: Any = None,  # noqa: ANN401 - as above
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        own = space if space is not None else getattr(optimizer, "parametrization", None)
        super().__init__(
            metric,
            mode,
            points_to_evaluate,
            own,
            optimizer="NGOpt" if optimizer is None else optimizer,
            optimizer_kwargs=optimizer_kwargs,
        )
