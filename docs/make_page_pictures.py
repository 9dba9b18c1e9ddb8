"""Writes ``docs/page-light.png`` and ``docs/page-dark.png``: the live page of a simulated run, in a real Chromium.

``python docs/make_page_pictures.py``; it needs the extra ``dev``, and Debian's package ``chromium``.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from benchmarks.page import chromium, served  # noqa: E402 - it is beside this folder
from trialwright import Engine, space  # noqa: E402
from trialwright.executors import Simulated  # noqa: E402
from trialwright.schedulers import ASHA  # noqa: E402
from trialwright.streams import Streams  # noqa: E402

SIZE = {"width": 1360, "height": 1290}


class Training:
    """A loss that falls faster with a good learning rate; a large one diverges now and then."""

    def start(self, config: dict[str, Any], seed: int) -> tuple[int, int]:
        """Return no steps, and the seed of the noise."""
        return 0, seed

    def step(self, config: dict[str, Any], state: tuple[int, int]) -> tuple[Any, dict[str, float], float] | None:
        """Do one epoch."""
        epoch, seed = state[0] + 1, state[1]
        if epoch > 27:
            return None
        if config["lr"] > 0.03 and seed % 5 == 0:
            raise ValueError(f"the loss is not finite in epoch {epoch}")
        apart = (math.log10(config["lr"]) + 2.6) ** 2
        noise = 0.02 * Streams(seed)("noise", epoch).random()
        floor = 0.12 + 0.08 * apart + 0.1 * abs(config["model"]["dropout"] - 0.2) + 6 / config["model"]["width"]
        loss = floor + 1.1 * math.exp(-0.25 * epoch / (1 + apart)) + noise
        seconds = 4 + config["model"]["width"] / 64
        return (epoch, seed), {"loss": loss, "accuracy": 1 - loss / 2}, seconds


def main() -> None:
    """Run, and take both pictures."""
    where = {
        "lr": space.loguniform(1e-5, 1e-1),
        "optimizer": space.choice(["adam", "sgd"]),
        "model": {"width": space.choice([64, 128, 256]), "dropout": space.uniform(0, 0.5)},
    }
    with tempfile.TemporaryDirectory() as home:
        result = Engine(
            Training(),
            where,
            metric="loss",
            num_samples=160,
            searcher="random",
            scheduler=ASHA(max_t=27, grace_period=1, reduction_factor=3),
            executor=Simulated(workers=8),
            resources={"cpu": 1},
            storage=home,
            name="digits",
            seed=3,
            verbose=0,
        ).run()
        assert result.path is not None, "it has a storage"
        with served(result.path) as address, chromium() as browser:
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
                page.goto(address)
                page.locator("#curves canvas").first.wait_for()
                page.locator("#trials tbody tr").nth(5).wait_for()
                page.wait_for_timeout(1000)  # the charts are drawn
                page.screenshot(path=DOCS / f"page-{scheme}.png")
                page.close()


if __name__ == "__main__":
    main()
