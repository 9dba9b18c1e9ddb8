"""Trials in processes of this machine, without Ray: the same slots, started by a fork server.

The fork server is the standard library's, one for each run. It imports in advance what a slot needs (``worker.py``:
pure Python, without NumPy, torch or user code, because forking a process that has threads may hang or leave broken
state), so a slot starts within milliseconds. A slot's GPUs and number of threads are in its environment before any user
code is imported.

If the driver dies, slots and server end, because their connections to it do.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.forkserver import ForkServer
from pathlib import Path

from trialwright.errors import ExecutorError
from trialwright.executors import worker
from trialwright.executors.in_slots import InSlots, environment
from trialwright.executors.launcher import Dial
from trialwright.executors.slots import Rules
from trialwright.messages import Node, Placement
from trialwright.resources import to_amounts

HOST = "127.0.0.1"
NODE = "local"
_WORD = struct.Struct("q")  # what the fork server writes: a process's number, and later its exit code


@dataclass(eq=False)
class _Forked:
    """A process: its number, and whether it has ended."""

    pid: int
    is_over: bool = False


class _ForkServer:
    """The ``Starter`` of processes of this machine. All methods block, and are called in one thread."""

    ours = True

    def __init__(self) -> None:
        self.devices: list[str] = []  # the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them

    def open(self, payload: bytes, root: str, shared: bool) -> None:
        """Start the server."""
        # At opening, not at import: settings with this executor can be read everywhere.
        if not hasattr(os, "fork"):
            raise ExecutorError("executor='processes' needs fork, which this system lacks: use 'local' or 'ray'")
        self._payload, self._root, self._shared, self.devices = payload, root, shared, _devices()
        self._server = ForkServer()
        self._server.set_forkserver_preload([worker.__name__])
        self._server.ensure_running()

    def start(self, placement: Placement, dial: Dial | None) -> tuple[_Forked, Future[None]]:
        """Part of ``Starter``."""
        assert dial is not None, "this process listens on the loopback, which every process of the machine reaches"
        known = dict(enumerate(self.devices))
        gpus = ",".join(known.get(index, str(index)) for index in placement.gpus)
        variables = environment(to_amounts(placement.units).get("cpu", 0.0), gpus)
        slot = worker.ForkedSlot(variables, dial, self._payload, self._root, self._shared)
        # Read before the start, to be compared at the end: the kernel only counts, it does not say whom.
        kills = _out_of_memory_kills()
        status, data = self._server.connect_to_new_process([])
        pid = _read(status)
        # The server was killed, for example for lack of memory: each start fails from now on, and ends the run.
        if pid is None:
            os.close(status)
            os.close(data)
            raise ExecutorError("the fork server has ended")
        process, end = _Forked(pid), Future[None]()
        threading.Thread(target=_wait, args=(status, kills, process, end), name="trialwright-exit", daemon=True).start()
        with suppress(BrokenPipeError), os.fdopen(data, "wb") as pipe:  # if it has died already, ``_wait`` reports it
            # It needs the path to unpickle the rest. Absolute, because a trial has a working directory of its own, and
            # must still find the program's modules.
            pickle.dump({"sys_path": [str(Path(path).absolute()) for path in sys.path]}, pipe)
            pickle.dump(slot, pipe)
        return process, end

    def exchange(self, handle: object, data: bytes, wait_s: float) -> Future[bytes]:
        """Part of ``Starter``: these processes dial."""
        raise ExecutorError("a process of this machine could not connect to the driver")

    def kill(self, handle: object) -> None:
        """Part of ``Starter``."""
        assert isinstance(handle, _Forked), handle
        if not handle.is_over:  # else its number may be another's
            with suppress(ProcessLookupError):
                os.kill(handle.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the server: it leaves once its processes have."""
        self._payload = b""
        self._server._stop()  # type: ignore[attr-defined]  # noqa: SLF001 - closing its pipe is all that it does


def _wait(status: int, kills: int, process: _Forked, end: Future[None]) -> None:
    """Wait for a process's end, in a thread, and settle its future with the cause."""
    code = _read(status)
    os.close(status)
    # Before the future is settled: from now on the number may belong to another process, which ``kill`` must spare.
    process.is_over = True
    if code == 0:
        end.set_result(None)
    else:
        end.set_exception(ExecutorError(_cause(code, short_of_memory=_out_of_memory_kills() > kills)))


def _read(status: int) -> int | None:
    """Wait for the next number from the fork server; None if it has ended."""
    word = os.read(status, _WORD.size)  # a pipe does not divide eight bytes
    return int(_WORD.unpack(word)[0]) if word else None


def _cause(code: int | None, *, short_of_memory: bool) -> str:
    """Return the cause of a process's death."""
    if code is None:
        return "the fork server has ended"
    if code >= 0:
        return f"it left with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else f"signal {-code}"
    # The count is the machine's: another process may have been meant, but after a SIGKILL this is the likely cause.
    if short_of_memory and name == "SIGKILL":
        return "the system killed it, because memory ran out"
    return f"killed by {name}"


def _out_of_memory_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory; 0 if it does not say."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _devices() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    # An empty variable hides all GPUs, so it is not the same as none.
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)  # noqa: S603 - found on PATH
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(index) for index in range(count)]


class Processes(InSlots):
    """Runs trials in processes of this machine. Needs neither Ray nor a main module with a guard.

    Args:
        cpus: how many CPUs trials may use together; by default all of this machine's.
        gpus: how many GPUs; by default those in ``CUDA_VISIBLE_DEVICES``, or all that ``nvidia-smi`` lists.
        resources: amounts of other resources, by name; ``"memory"`` is this machine's by default, in bytes.
        grace_s: how long a trial may take to stop before its process is killed; after half of it, it is interrupted.
        reuse_workers: run one trial after another in the same process; by default, except for those with a GPU.
        start_s: how long the start of a process may take.
        silence_s: after how long without a sign of life a process counts as dead.
    """

    more_hint = "Processes(cpus=8, gpus=1)"

    def __init__(
        self,
        cpus: float | None = None,
        *,
        gpus: int | None = None,
        resources: Mapping[str, float] | None = None,
        grace_s: float = 10.0,
        reuse_workers: bool | None = None,
        start_s: float = 60.0,
        silence_s: float = 120.0,
    ) -> None:
        self.options = {name: told for name, told in locals().items() if name not in ("self", "__class__")}
        self._server = _ForkServer()
        super().__init__(
            self._server, Rules(grace_s=grace_s, start_s=start_s, silence_s=silence_s, reuse=reuse_workers)
        )
        self._cpus, self._gpus, self._resources = cpus, gpus, dict(resources or {})

    async def _begin(self, payload: bytes) -> None:
        await self._deputy.call(self._server.open, payload, str(self._root), self._shared)
        await self._pool.launcher.listen(HOST, 0)
        self._take_note((self._node(),))

    async def _end(self) -> None:
        await self._deputy.call(self._server.close)

    def _describe(self, error: Exception) -> str:
        return f"processes cannot be started on this machine: {error!r}"

    def _node(self) -> Node:
        gpus = len(self._server.devices) if self._gpus is None else self._gpus
        memory_bytes = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        there = {"cpu": float(self._cpus or os.cpu_count() or 1), "memory": memory_bytes, **self._resources}
        return Node(NODE, {**there, "gpu": float(gpus)} if gpus else there)
