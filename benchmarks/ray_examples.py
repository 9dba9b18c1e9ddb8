"""Ray Tune's own examples, from the installed package, with changed imports: which run on Trialwright?

    nox -s ray_examples                      # in an environment that has the libraries which they use
    python -m benchmarks.ray_examples        # all that need no download, in this environment; some minutes
    python -m benchmarks.ray_examples pbt    # those of them whose names have this in them
    python -m benchmarks.ray_examples --all  # also those that cannot be run offline

Each is a program of its own, in its smoke-test mode if it has one. Nothing of them is kept. What they share
(``ray.tune.utils.mock_trainable``, ``ray.tune.examples``) comes from the package as well.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.documents import run

SHARED = ("utils/mock_trainable.py", "examples/mnist_pytorch.py", "examples/pbt_function.py", "examples/utils.py")
DOWNLOADS = (  # a data set, from the network
    *("mlflow_ptl", "mnist_ptl_mini", "mnist_pytorch", "mnist_pytorch_trainable", "pbt_convnet_example"),
    *("pbt_convnet_function_example", "pbt_memnn_example", "pbt_tune_cifar10_with_keras", "tf_mnist_example"),
    "tune_mnist_keras",
)
SIMULATORS = ("pb2_ppo_example", "pbt_ppo_example")  # RLlib with Box2D and MuJoCo, for hours: they have no smoke test
CHANGES = (
    (r"\bray\.tune\.(?:utils|examples)\.(mock_trainable|mnist_pytorch|pbt_function|utils)\b", r"\1"),
    (r"\bfrom ray import (tune|train|air)\b", r"from trialwright import \1"),
    (r"\b(from|import) ray\.(tune|train|air)\b", r"\1 trialwright.\2"),
    (r"\bray\.(tune|train|air)\.", r"trialwright.\1."),
)


def package() -> Path:
    """Return where Ray Tune is installed.

    Raises:
        ImportError: it is not.
    """
    found = importlib.util.find_spec("ray.tune")
    if found is None or found.origin is None:
        raise ImportError("pip install 'ray[tune]'")
    return Path(found.origin).parent


def names(part: str = "", leave_out: Sequence[str] = ()) -> list[str]:
    """Return the names of the examples that have this in them, without some."""
    files = sorted((package() / "examples").glob("*.py"))
    return [path.stem for path in files if path.stem not in ("__init__", "utils", *leave_out) and part in path.stem]


def attempt(name: str) -> str:
    """Run one example; return its error, or nothing."""
    with tempfile.TemporaryDirectory() as home:
        for path in [*(package() / shared for shared in SHARED), package() / "examples" / f"{name}.py"]:
            if path.exists():
                Path(home, path.name).write_text(changed(path.read_text(encoding="utf-8")), encoding="utf-8")
        program = Path(home, f"{name}.py")
        smoke = ["--smoke-test"] if "--smoke-test" in program.read_text(encoding="utf-8") else []
        return run([str(program), *smoke], home)


def changed(text: str) -> str:
    """Return the source with imports of ours."""
    for pattern, replacement in CHANGES:
        text = re.sub(pattern, replacement, text)
    return text


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_examples")
    parser.add_argument("part", nargs="?", default="", help="only examples with this in their names")
    parser.add_argument("--all", action="store_true", help="also those that need a download or a simulator")
    options = parser.parse_args()
    chosen = names(options.part, () if options.all else (*DOWNLOADS, *SIMULATORS))
    errors = []
    for name in chosen:
        errors.append(attempt(name))
        print(f"{name}: {errors[-1] or 'runs'}", flush=True)
    print(f"{errors.count('')} of {len(chosen)} run")


if __name__ == "__main__":
    main()
