"""All slots of a run: which trial runs in which slot, and what slots hold of each machine.

It takes launches, and puts the resulting events into the inbox. Processes are the work of ``launcher.py``.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping

from trialwright.errors import ExecutorError
from trialwright.executors.base import Deputy, Inbox
from trialwright.executors.connections import Peer
from trialwright.executors.launcher import Launcher, Starter
from trialwright.executors.slots import BEAT_S, Rules, Shape, Slot
from trialwright.executors.wire import WireError, encode
from trialwright.messages import Failed, Halted, Launch, Lost, Node, Placement, Returned, Started, TrialEvent
from trialwright.resources import Units, to_units

MISSES_MAX = 3
REST_S = 10.0  # how long an idle slot keeps resources that others on a cluster could use
CAUSE_S = 0.2  # after a connection ends, how long it may take until the cause is known
CAUSE_THERE_S = 40.0  # the same on a cluster, which is slow to notice that a whole machine is gone
UNREAD_BYTES_MAX = 8 * 2**20  # of frames that the loop has not taken yet: beyond it the slots wait


class Pool:
    """All slots. ``launch`` starts trials, and their events go to the inbox.

    Args:
        starter: starts and ends processes.
        deputy: the thread for these calls.
        inbox: takes the events.
        rules: time limits for slots.
        warn: called with a sentence for the user.
        look: looks which machines are present, and calls ``set_nodes`` if they have changed. It is called before the
            death of a slot is reported, because its machine may be gone.
    """

    def __init__(
        self,
        starter: Starter,
        deputy: Deputy,
        inbox: Inbox,
        rules: Rules,
        *,
        warn: Callable[[str], None],
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._starter, self._inbox, self.rules = starter, inbox, rules
        self.launcher = Launcher(starter, deputy, look, self._expected)
        self._warn, self._warned = warn, set[str]()
        self._slots: dict[int, Slot] = {}
        self._running: dict[tuple[int, int], Slot] = {}
        self._queued: dict[int, tuple[Slot, Launch]] = {}  # trials that wait in a slot
        self._granted: dict[tuple[int, int], Slot] = {}  # by the first of the trials that follow each other there
        self._lost: set[tuple[int, int]] = set()  # the same, of slots that are dead
        self._idle: defaultdict[Shape, list[Slot]] = defaultdict(list)
        self._nodes: Mapping[str, Units] = {}
        self._others: Mapping[str, Units] = {}  # what others hold on them
        self._numbers, self._misses = 0, 0  # the latter: slots that could not be started since something went well
        self._unread, self._paused = 0, set[Peer]()
        self._closing = False

    # What the executor says ----------------------------------------------------------------------------------------

    def set_nodes(self, nodes: tuple[Node, ...]) -> None:
        """Set the machines; slots on those that left are lost, which does not count as a failure."""
        self._nodes = {node.name: to_units(_whole(node.resources)) for node in nodes}
        self._others = {node.name: to_units(node.others) for node in nodes}
        for slot in list(self._slots.values()):
            if slot.placement.node not in self._nodes:
                # Leaving is not the trial's fault: its budget of failures stays whole.
                slot.preempted = True
                slot.end("its machine has left the cluster")

    def held(self) -> dict[str, Units]:
        """Return what slots hold on each machine: those that are connected, until they are known to have ended, and
        those that are starting, for half of the time that this may take. After that they probably wait for
        resources."""
        half = self.rules.start_s / 2
        return _sums(slot for slot in self._slots.values() if slot.peer or slot.silent * BEAT_S <= half)

    def launch(self, launch: Launch) -> None:
        """Run a trial: after others in their slot, or in an idle slot of its shape, or in a new one."""
        if launch.after in self._lost:
            return  # the Lost is on its way to the driver, which then takes back the trials that waited there
        try:
            frame = encode(launch)
        except WireError as error:
            if launch.after is not None:  # it must fail only when it is launched itself
                self._inbox.put(Returned(launch.trial, launch.attempt))
                return
            self._inbox.put(Failed(launch.trial, launch.attempt, f"its config cannot be sent to a worker: {error}"))
            return
        grant = launch.after or (launch.trial, launch.attempt)
        # Else the trial before it has ended meanwhile, and this one is started like any other.
        if launch.after is not None and grant in self._granted:
            self._add(self._granted[grant], launch, frame)
            return
        if launch.placement.node not in self._nodes:
            self._inbox.put(Lost(launch.trial, launch.attempt, "its machine has left the cluster", preempted=True))
            return
        shape = self._shape(launch.placement)
        slot = self._idle[shape].pop() if self._idle[shape] else self._make(launch.placement)
        self._running[launch.trial, launch.attempt] = slot
        slot.grant, self._granted[grant] = grant, slot
        slot.assign(launch, frame)
        if self._starter.ours and self._wants_fresh(launch.placement) and not self._idle[shape]:
            self._idle[shape].append(self._make(launch.placement))  # the next trial's process starts during this trial

    def _add(self, slot: Slot, launch: Launch, frame: bytes) -> None:
        self._queued[launch.trial] = slot, launch
        slot.add(launch, frame)

    def cancel(self, trial: int) -> None:
        """A trial will not run; if it waits in a slot, it is taken out there."""
        if trial in self._queued:
            slot, launch = self._queued.pop(trial)
            slot.drop(launch)

    def running(self, trial: int, attempt: int) -> Slot | None:
        """Return the slot that this attempt runs in, or will."""
        return self._running.get((trial, attempt))

    def beat(self) -> None:
        """Ask all slots for a sign of life, except those that are paused."""
        for slot in list(self._slots.values()):
            # A slot that is starting is not asked; its beats are counted for ``held``.
            slot.silent += slot.peer is None
            if slot.peer is not None and slot.peer not in self._paused and not slot.hung:
                slot.beat()
            # On our own machine an idle process takes nothing that others wait for; on a cluster it holds Ray's
            # resources.
            if not self._starter.ours and slot in self._idle[slot.shape] and slot.resting * BEAT_S > REST_S:
                self.withdraw(slot)
                slot.retire()

    def taken(self) -> None:
        """The inbox has been emptied: paused slots may go on."""
        self._unread = 0
        while self._paused:
            self._paused.pop().resume()

    async def close(self) -> None:
        """End all processes; events are dropped from now on."""
        self._closing = True
        self.launcher.stop_listening()
        for slot in list(self._slots.values()):
            slot.end("the run is over")
        await self.launcher.close()

    # What slots say --------------------------------------------------------------------------------------------------

    def begun(self, event: Started) -> None:
        """A trial was handed to its slot."""
        self._inbox.put_beside(event)

    def returned(self, slot: Slot, event: Returned) -> None:
        """A slot hands a trial back."""
        self._queued.pop(event.trial, None)
        self._inbox.put(event)

    def pass_on(self, slot: Slot, event: TrialEvent, size: int) -> None:
        """Something happened in a trial."""
        self._inbox.put(event)
        self._unread += size
        # Not all slots are paused, only those that send while too much is unread: a beat or an ending of others still
        # comes.
        if self._unread > UNREAD_BYTES_MAX and slot.peer is not None:
            slot.peer.pause()
            self._paused.add(slot.peer)

    def freed(self, slot: Slot) -> None:
        """A slot's trial has ended."""
        self._misses = 0
        launch = self._forget(slot)
        if slot.spent or self._wants_fresh(slot.placement):
            if slot.spent:
                self._tell_of_spent(slot.spent, launch)
            slot.retire()
            self._move_queue(slot)
        else:
            self._go_on(slot)

    def _go_on(self, slot: Slot) -> None:
        """Have the next trial in the slot take its turn; if there is none, the slot is idle."""
        if not slot.queue:
            del self._granted[slot.grant]
            self._idle[slot.shape].append(slot)
            return
        launch = slot.go_on()
        del self._queued[launch.trial]
        self._running[launch.trial, launch.attempt] = slot

    def _move_queue(self, slot: Slot) -> None:
        """Move the trials that wait in a slot that takes no more to another slot, on the same resources."""
        queue, slot.queue = slot.queue, deque()
        self._granted.pop(slot.grant, None)
        for launch, _ in queue:
            del self._queued[launch.trial]
            self.launch(launch)

    def halted_early(self, slot: Slot) -> None:
        """A trial was halted before its slot could begin."""
        if launch := self._forget(slot):
            self._inbox.put(Halted(launch.trial, launch.attempt))
            self._go_on(slot)

    def withdraw(self, slot: Slot) -> None:
        """Let no trial come to this slot any more."""
        if slot in self._idle[slot.shape]:
            self._idle[slot.shape].remove(slot)

    def lost(self, slot: Slot, reason: str) -> None:
        """A slot is dead. If it never started, that does not count as its trial's failure."""
        self._slots.pop(slot.number, None)
        self.withdraw(slot)
        launch = self._forget(slot)
        # Slots that ``close`` ends are no losses: their trials are launched again when the run is resumed.
        if self._closing:
            return
        stillborn = slot.peer is None and not slot.leaving
        if launch is not None and slot.killed:
            self._misses = 0  # it was killed because its trial did not stop: slots can be started
            self._inbox.put(Halted(launch.trial, launch.attempt))
            self._move_queue(slot)
        elif launch is not None:
            # With trials waiting behind it, the cause may be one of these: then it is not this trial's failure.
            preempted = slot.preempted or stillborn or bool(slot.queue)
            self._lose_queue(slot)
            self._inbox.put(Lost(launch.trial, launch.attempt, reason, preempted))
        missed = stillborn and not slot.preempted and not self._is_crowded_out(slot)
        self._misses += missed
        if missed and self._misses >= MISSES_MAX and not self._there():  # with working slots, the run can go on
            self._inbox.fail(ExecutorError(f"{self._misses} workers in a row could not be started; the last: {reason}"))

    def _lose_queue(self, slot: Slot) -> None:
        """Drop the trials that wait in a dead slot: the driver takes them back when it gets the Lost."""
        # Launches that the driver sends before it has the Lost name this grant: they must not start anywhere.
        self._lost.add(slot.grant)
        self._granted.pop(slot.grant, None)
        for launch, _ in slot.queue:
            self._queued.pop(launch.trial, None)
        slot.queue.clear()

    def cannot_dial(self, slot: Slot, error: OSError) -> None:
        """A slot could not connect: from now on slots are called instead, and its trial gets another slot."""
        address, self.launcher.address = self.launcher.address, None
        self._warn(f"workers cannot connect to {address} ({error}): they are called instead, which is slower")
        launch = self._forget(slot)
        # So that its end is not counted as a process that could not be started: it did start.
        slot.leaving = True
        slot.end()
        self._granted.pop(slot.grant, None)
        if launch is not None:
            self.launch(launch)
        self._move_queue(slot)

    def fail_to_store(self, reason: str) -> None:
        """A slot cannot write to the run's directory."""
        self._inbox.fail_to_store(reason)

    def destroy(self, slot: Slot) -> None:
        """A slot's process is to be ended."""
        self.launcher.destroy(slot)

    # Starting slots --------------------------------------------------------------------------------------------------

    def _shape(self, placement: Placement) -> Shape:
        gpus = placement.gpus if self._starter.ours else ()  # on a cluster Ray chooses the devices
        return (placement.node, *sorted(placement.units.items()), *gpus)

    @property
    def cause_s(self) -> float:
        """How long to wait for the cause of a slot's death."""
        return CAUSE_S if self._starter.ours else CAUSE_THERE_S

    def _there(self) -> list[Slot]:
        return [slot for slot in self._slots.values() if slot.peer is not None]

    def _is_crowded_out(self, slot: Slot) -> bool:
        """Tell whether other programs have taken the resources of a slot that was starting."""
        placement = slot.placement
        if not self._others.get(placement.node):
            return False
        left = self._left(placement)
        _add(left, _sums(self._there()).get(placement.node, {}), -1)
        return min(left.values(), default=0) < 0

    def _left(self, placement: Placement) -> Units:
        """Return, for each resource of a placement, what it leaves of the amount that others do not hold."""
        whole, others = self._nodes[placement.node], self._others[placement.node]
        return {name: whole.get(name, 0) - others.get(name, 0) - units for name, units in placement.units.items()}

    def _wants_fresh(self, placement: Placement) -> bool:
        return "gpu" in placement.units if self.rules.reuse is None else not self.rules.reuse

    def _forget(self, slot: Slot) -> Launch | None:
        launch, slot.launch = slot.launch, None
        if launch is not None:
            del self._running[launch.trial, launch.attempt]
        return launch

    def _tell_of_spent(self, reason: str, launch: Launch | None) -> None:
        """Warn that a process is not used again, once for each kind of reason: it costs the start of another."""
        # Without what stands in brackets, such as the names of threads, which differ each time.
        kind = reason.partition(" (")[0]
        if kind not in self._warned and launch is not None:
            self._warned.add(kind)
            self._warn(
                f"the process of trial {launch.trial} is not used for other trials: {reason}; "
                "each time, a new process must be started"
            )

    def _make(self, placement: Placement) -> Slot:
        self._make_room(placement)
        self._numbers += 1
        slot = Slot(self._numbers, placement, self._shape(placement), self)
        self._slots[slot.number] = slot
        # From now on: also a Starter that never returns must not keep its trial waiting.
        slot.expect_call()
        self.launcher.start(slot)
        return slot

    def _expected(self, number: int) -> Slot | None:
        """Return the slot of this number, which connects now, so that slots can be started; None if there is no such
        slot, or it is connected already."""
        slot = self._slots.get(number)
        if slot is None or slot.peer is not None:
            return None
        self._misses = 0
        return slot

    def _make_room(self, placement: Placement) -> None:
        """Retire idle slots of other shapes, the oldest first, while their node would be overbooked."""
        here = [slot for slot in self._slots.values() if slot.placement.node == placement.node and not slot.leaving]
        left = self._left(placement)
        for slot in here:
            _add(left, slot.placement.units, -1)
        for slot in here:
            if min(left.values(), default=0) >= 0:
                return
            # Idle ones only: what a running trial holds was granted by the ledger, and fits.
            if slot in self._idle[slot.shape] and slot.shape != self._shape(placement):
                self.withdraw(slot)
                slot.retire()
                _add(left, slot.placement.units, +1)


def _sums(slots: Iterable[Slot]) -> dict[str, Units]:
    """Return what slots hold on each machine."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for slot in slots:
        sums[slot.placement.node].update(slot.placement.units)
    return {name: dict(units) for name, units in sums.items()}


def _add(left: dict[str, int], units: Units, sign: int) -> None:
    for name in left:
        left[name] += sign * units.get(name, 0)


def _whole(resources: Mapping[str, float]) -> dict[str, float]:
    """A machine has whole GPUs."""
    return {name: float(int(amount)) if name == "gpu" else amount for name, amount in resources.items()}
