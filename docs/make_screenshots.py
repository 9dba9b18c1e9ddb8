"""Makes the pictures of the documentation from real runs: ``python docs/make_screenshots.py terminal notebook``."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI

from trialwright import Engine, Local, Result, report, space
from trialwright.progress import Snapshot
from trialwright.progress.live import table
from trialwright.progress.notebook import bundle

DOCS = Path(__file__).parent
COLUMNS, LINES = 112, 40
# As Jupyter draws the output of a cell.
STYLE = """
body { font: 13px sans-serif; margin: 12px; } pre { background: #f5f5f5; border: 1px solid #e0e0e0; padding: 6px; }
table { border-collapse: collapse; margin: 4px 0 12px; }
td, th { padding: 3px 8px; } tr:nth-child(even) { background: #f5f5f5; }
"""
AT_ENDED = 12  # the picture is taken once so many trials have ended, and the best value has improved
# Without rich's own font, which a reader's browser would fetch from another host.
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def objective(config: dict[str, Any]) -> None:
    """Train a small network on handwritten digits, one pass over the images at a time."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    known, new, known_labels, new_labels = train_test_split(images / 16, labels, test_size=0.5, random_state=0)
    width = config["width"]
    if config["lr"] > 0.05 and width > 50:
        raise ValueError("the loss is not finite")
    network = MLPClassifier((width,), learning_rate_init=config["lr"], random_state=0)
    for _ in range(30):
        network.partial_fit(known, known_labels, classes=range(10))
        report(accuracy=network.score(new, new_labels), size=width * 74)


class Midway:
    """A display that keeps one snapshot."""

    snapshot: Snapshot | None = None

    def update(self, snapshot: Snapshot) -> None:
        """Keep this if it is the first that shows all there is to show."""
        is_rich = snapshot.ends >= AT_ENDED and snapshot.best is not None and snapshot.best.before is not None
        reported = [trial for trial in snapshot.running if trial.step]
        if is_rich and snapshot.failures and len(reported) > 1:
            self.snapshot = self.snapshot or snapshot

    def close(self, snapshot: Snapshot) -> None:
        """Keep the last one if there was no such."""
        self.snapshot = self.snapshot or snapshot


def run() -> tuple[Snapshot, Result]:
    """Tune, and return the run at one moment, and its result."""
    shown = Midway()
    result = Engine(
        objective,
        {"lr": space.loguniform(1e-4, 1e-1), "width": space.choice([8, 16, 32, 64, 128])},
        metric=["accuracy", "size"],
        mode=["max", "min"],
        num_samples=48,
        searcher="random",
        scheduler="asha",
        executor=Local(cpus=4),
        storage="runs",
        name="digits",
        seed=1,
        verbose=0,
        progress=shown,
    ).run()
    assert shown.snapshot is not None, "close was called"
    return _relative(shown.snapshot), replace(result, path=Path("runs", result.path.name if result.path else ""))


def _relative(snapshot: Snapshot) -> Snapshot:
    """Return it without the directories of the machine on which the picture is made."""
    failures = [replace(each, where=each.where.rpartition("/")[2]) for each in snapshot.failures]
    directory = f"runs/{Path(snapshot.directory or '').name}"
    return replace(snapshot, directory=directory, failures=tuple(failures))


def terminal() -> None:
    """Write ``docs/terminal.svg``."""
    console = Console(
        record=True, file=io.StringIO(), width=COLUMNS, height=LINES, force_terminal=True, highlight=False
    )
    console.print(table(run()[0], console))
    svg = console.export_svg(title="python train.py", theme=MONOKAI, code_format=SVG, unique_id="terminal")
    (DOCS / "terminal.svg").write_text(svg, encoding="utf-8")


def notebook() -> None:
    """Write ``docs/notebook.png``: what two cells show, drawn by Chromium.

    Raises:
        FileNotFoundError: there is no Chromium.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise FileNotFoundError("the picture of the notebook needs Chromium: install the package chromium")
    snapshot, result = run()
    cells = (("engine.run()", bundle(snapshot)["text/html"]), ("result", result._repr_html_()))
    shown = "".join(f"<pre>{escape(code)}</pre>{html}" for code, html in cells)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{shown}", encoding="utf-8")
        picture = f"--screenshot={DOCS / 'notebook.png'}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,980"]
        command = [chromium, *options, picture, page.as_uri()]
        subprocess.run(command, check=True, timeout=60, capture_output=True)  # noqa: S603 - all of it is known


PICTURES = {"terminal": terminal, "notebook": notebook}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
