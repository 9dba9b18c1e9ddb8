"""Mistakes that a type checker must find: ``--strict`` has an error for a ``type: ignore`` that hides none."""

from typing import Any

import trialwright
from trialwright import ASHA, Engine, report, space  # misspelt


def train(config: dict[str, Any]) -> None:
    """Report once."""
    report(loss=config["lr"])


trialwright.MedianStoping()  # type: ignore[attr-defined]
ASHA(max_t="nine")  # type: ignore[arg-type]
Engine(train, {"lr": space.uniform(0, 1)}, metric="loss", num_sample=3)  # type: ignore[call-arg]
Engine(train, {"lr": space.uniform(0, 1)}, metric="loss", mode="maximum")  # type: ignore[arg-type]
