"""Ax, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trialwright.integrations import Ax
from trialwright.tune.search.library import LibrarySearcher


class AxSearch(LibrarySearcher):
    """Ax's Gaussian processes (``pip install ax-platform``).

    Args:
        space: a list of parameters in Ax's form, ``[{"name": "x", "type": "range", "bounds": [0.0, 1.0]}, ...]``, or a
            dict of Ray Tune's domains, which counts instead of ``param_space``; this may then hold constants only.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first, whole or in part.
        parameter_constraints: linear inequalities of parameters, such as ``"x1 + x2 <= 2.0"``.
        outcome_constraints: limits of reported metrics, such as ``"l2norm <= 1.25"``; the best trial meets them, too.
        ax_client: refused: a client is made anew for every question.
        ax_kwargs: ``random_seed``, the seed; anything else is refused.

    Raises:
        ValueError: an argument is refused; the message says what to use instead.
        TypeError: there is another argument.
    """

    library = Ax

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        space: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        parameter_constraints: Sequence[str] | None = None,
        outcome_constraints: Sequence[str] | None = None,
        ax_client: Any = None,  # noqa: ANN401 - refused
        **ax_kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        if ax_client is not None:
            raise ValueError("ax_client is not supported: a client is made anew for every question; give the space")
        seed = ax_kwargs.pop("random_seed", None)
        if ax_kwargs:
            raise TypeError(f"AxSearch has no {min(ax_kwargs)}=")
        constraints = tuple(parameter_constraints or ())
        super().__init__(metric, mode, points_to_evaluate, space or None, seed=seed, parameter_constraints=constraints)
        self.outcome_constraints = tuple(outcome_constraints or ())
