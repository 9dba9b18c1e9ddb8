"""InEnvironment: a library that does not fit beside the others is asked in a process of another interpreter."""

from __future__ import annotations

import builtins
import json
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from trialwright.errors import nearest
from trialwright.history import Values
from trialwright.integrations.adapter import Adapter, Answer, Library
from trialwright.integrations.adapters import ADAPTERS
from trialwright.integrations.forms import Assignment, Form, SpaceForm

if TYPE_CHECKING:  # only then, as in the adapter
    from trialwright.searchers.base import Problem

PACKAGE = Path(__file__).parents[1]
PROGRAM = Path(__file__).with_name("other_side.py")


@dataclass(init=False)
class InEnvironment(Adapter):
    """Asks a library that is installed in another environment, in a process of that environment's interpreter.

    ``InEnvironment("envs/hebo/bin/python", "hebo")`` suggests what ``searcher="hebo"`` would suggest there. The
    environment needs Python 3.11 or later, the library, and NumPy of any version from 1.24 on; not this package. The
    process ends with the run. A resumed run starts a new one, which is told the whole history.

    Args:
        python: the interpreter, such as ``envs/hebo/bin/python``.
        name: the searcher's, as for ``Engine(searcher=...)``: "ax", "nevergrad", "optuna", ...
        space: a space of Trialwright's that counts instead of the run's; the library's own language is not possible.
        points: configurations to try first, as for any adapter.
        earlier: what is known already, as for any adapter.
        seed: of the library's random draws; the run's, if it is not given.
        options: what the searcher takes besides; plain data only.

    Raises:
        ValueError: no library has this name.
        TypeError: the searcher has no such option.
    """

    python: str
    name: str
    options: Mapping[str, Any]

    def __init__(
        self,
        python: str | Path,
        name: str,
        *,
        space: object = None,
        points: Sequence[Mapping[str, object]] = (),
        earlier: Sequence[tuple[Mapping[str, object], Values | None]] = (),
        seed: int | None = None,
        **options: Any,  # noqa: ANN401 - each library has its own
    ) -> None:
        super().__init__(space=space, points=points, earlier=earlier, seed=seed)
        self.python, self.name, self.options = str(python), name, options
        self._here()

    def _here(self) -> Adapter:
        """Return the searcher that this stands for."""
        if self.name not in ADAPTERS:
            raise ValueError(f"InEnvironment: no library has the name {self.name!r}{nearest(self.name, ADAPTERS)}")
        return ADAPTERS[self.name](**self.options)

    @property
    def _stream(self) -> str:
        return self.name

    @property
    def exact_resume(self) -> bool:
        """As the searcher has it."""
        return self._here().exact_resume

    @property
    def replays(self) -> bool:
        """As the searcher has it."""
        return self._here().replays

    def setup(self, problem: Problem) -> int:
        """Begin a run over this space.

        Raises:
            ImportError: the library is not installed there; the message says what to install.
            ValueError: the interpreter cannot be started, the library cannot search this space, or a point does not
                fit.
            RuntimeError: something else went wrong in the process; the message has its traceback's last line.
        """
        self.close()
        if self._here().single:
            problem.single(self.name)
        return super().setup(problem)

    def open(self, form: Form) -> Library:
        """Start the process, and make the library's searcher in it."""
        axes = [axis.written() for axis in cast(SpaceForm, form).axes]
        process = _Process(self.python)
        process.call("open", str(PACKAGE), self.name, dict(self.options), self.plan, axes)
        return process

    def _set_design_seed(self, seed: int) -> None:
        if isinstance(self._library, _Process):
            self._library.call("design_seed", seed)

    def close(self) -> None:
        """End the process."""
        process = vars(self).get("_library")
        if isinstance(process, _Process):
            process.end()


class _Process:
    """A library, in a process that ends when this is closed or forgotten, or when the pipe to it ends."""

    def __init__(self, python: str) -> None:
        self._python = python
        command = [python, "-I", str(PROGRAM)]  # isolated: this environment's PYTHONPATH is not for that one
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's interpreter
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
            )
        except OSError as error:
            raise ValueError(f"InEnvironment: {python!r} cannot be started: {error}") from error
        self.end = weakref.finalize(self, _end, self._process)

    def ask(self, seed: int, given: Assignment) -> Answer:
        return cast(Answer, self.call("ask", seed, given))

    def add(self, trial: int, assignment: Assignment) -> None:
        self.call("add", trial, assignment)

    def tell(self, trial: int, values: Values | None) -> None:
        self.call("tell", trial, values)

    def call(self, *message: object) -> object:
        """Send a message, and return the answer.

        Raises:
            TypeError: the message has something that is no plain data.
            Exception: what the library raised: a ValueError, a TypeError, or an ImportError; else a RuntimeError.
        """
        line = json.dumps(message)
        try:
            cast("Any", self._process.stdin).write(f"{line}\n")
            cast("Any", self._process.stdin).flush()
            answer = cast("Any", self._process.stdout).readline()
        except OSError:  # the pipe is broken
            answer = ""
        if not answer:
            raise RuntimeError(f"the process of {self._python} has ended with status {self._process.wait()}")
        found = json.loads(answer)
        if "error" in found:
            name, line = found["error"]
            raise (RuntimeError if name == "Exception" else getattr(builtins, name))(f"in {self._python}: {line}")
        return found["answer"]


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()  # it has nothing to save
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
