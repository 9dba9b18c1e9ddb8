"""``ray.tune.utils``, as far as users call it."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import cloudpickle

from trialwright.tune.dicts import flatten_dict, merge_dicts, unflatten_dict, unflatten_list_dict, unflattened_lookup
from trialwright.tune.gpus import wait_for_gpu
from trialwright.tune.trainable.trainable import Trainable

__all__ = [
    "Tee",
    "diagnose_serialization",
    "flatten_dict",
    "logger",
    "merge_dicts",
    "retry_fn",
    "unflatten_dict",
    "unflatten_list_dict",
    "unflattened_lookup",
    "validate_save_restore",
    "wait_for_gpu",
]

logger = logging.getLogger(__name__)


def diagnose_serialization(trainable: Callable[..., Any]) -> bool | set[str]:
    """Tell whether a function can be sent to other processes: True, or the names of what it uses and cannot be sent.

    Args:
        trainable: a function.
    """
    if _can_be_sent(trainable):
        return True
    used = inspect.getclosurevars(trainable)
    wrong = {name for name, value in {**used.globals, **used.nonlocals}.items() if not _can_be_sent(value)}
    return wrong or {trainable.__name__}


def _can_be_sent(value: object) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:  # objects of users raise what they like
        return False
    return True


def validate_save_restore(
    trainable_cls: type[Trainable], config: Mapping[str, Any] | None = None, num_gpus: int = 0
) -> bool:
    """Check that a class continues correctly from a checkpoint: train, save, load into another object, train both.

    Args:
        trainable_cls: the class.
        config: what to make it with.
        num_gpus: only 0 is taken: it is made in this process.

    Raises:
        ValueError: a GPU is wanted, or the other object is not where the first one was.
        NotImplementedError: it has no ``save_checkpoint`` or no ``load_checkpoint``.
    """
    if num_gpus:
        raise ValueError("num_gpus: the class is made in this process, which sees the GPUs that there are")
    first, other = trainable_cls(config), trainable_cls(config)
    for _ in range(2):
        first.train()
    other.restore(first.save())
    if first.train()["training_iteration"] != other.train()["training_iteration"]:
        raise ValueError(f"{trainable_cls.__name__} does not continue from its checkpoint as without an interruption")
    return True


def retry_fn(
    fn: Callable[[], object],
    exception_type: type[Exception] | Sequence[type[Exception]] = Exception,
    num_retries: int = 3,
    sleep_time: float = 1,
    timeout: float | None = None,
) -> bool:
    """Call a function until it does not raise; tell whether it came to that.

    Args:
        fn: the function.
        exception_type: after which errors it is called again; others are raised.
        num_retries: how often it is called at most.
        sleep_time: seconds between two calls.
        timeout: seconds for all calls together. What still runs then goes on in a thread, as no thread can be ended.
    """
    ended: list[bool | Exception] = []
    kinds = (exception_type,) if isinstance(exception_type, type) else tuple(exception_type)
    thread = threading.Thread(target=lambda: ended.append(_called(fn, kinds, num_retries, sleep_time)), daemon=True)
    thread.start()
    thread.join(timeout)
    outcome = ended[0] if ended else False
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _called(
    fn: Callable[[], object], kinds: tuple[type[Exception], ...], times: int, sleep_time_s: float
) -> bool | Exception:
    for left in reversed(range(times)):
        try:
            fn()
        except kinds as error:
            logger.info("%r raised %r; it is called %d more times", fn, error, left)
        except Exception as error:
            return error  # for the caller's thread
        else:
            return True
        if left:
            time.sleep(sleep_time_s)
    return False


class Tee:
    """A stream that writes to two others. One that raises, as a closed file does, gets nothing more.

    Args:
        stream1: what is written goes here first.
        stream2: and then here.
    """

    def __init__(self, stream1: TextIO, stream2: TextIO) -> None:
        self.stream1, self.stream2 = stream1, stream2
        self._open = [stream1, stream2]

    def write(self, text: str) -> None:
        """Write to both."""
        self._each(lambda stream: stream.write(text))

    def flush(self) -> None:
        """Flush both."""
        self._each(lambda stream: stream.flush())

    def _each(self, do: Callable[[TextIO], object]) -> None:
        for stream in [*self._open]:
            try:
                do(stream)
            except (OSError, ValueError) as error:  # a closed file raises a ValueError
                self._open.remove(stream)  # before the warning, which may be written here
                logger.warning("%r gets nothing more: %s", stream, error)

    def isatty(self) -> bool:
        """Tell whether the first one is a terminal."""
        return self.stream1.isatty()

    def fileno(self) -> int:
        """Return that of the first one."""
        return self.stream1.fileno()

    @property
    def encoding(self) -> str:
        """That of the first one."""
        return self.stream1.encoding


def newest_file(directory: str, template: str) -> str:
    """Return the path of the file of such a name that was written last.

    Args:
        directory: where to look.
        template: a name with ``{}`` in it, which stands for anything.

    Raises:
        RuntimeError: there is none.
    """
    found = list(Path(directory).glob(template.format("*")))
    if not found:
        raise RuntimeError(f"there is no {template.format('*')} in {directory!r}")
    return str(max(found, key=lambda file: file.stat().st_mtime_ns))
