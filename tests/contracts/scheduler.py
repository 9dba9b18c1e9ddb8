"""What every scheduler must keep. To test another one, subclass ``SchedulerContract`` and say how it is made."""

import copy
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.driving import Simulation, simulate
from trialwright.codec import read_plain, to_plain
from trialwright.executors.simulated import Delays, Faults, Simulated
from trialwright.messages import (
    Choice,
    Clone,
    Consult,
    Continue,
    Decision,
    Drop,
    New,
    Node,
    Outcome,
    Pause,
    Plain,
    Report,
    Resize,
    Resume,
    Start,
    Stop,
    Until,
    Verdict,
    Wait,
)
from trialwright.schedulers import Scheduler, TrialView
from trialwright.searchers import Perturb, Random, Searcher
from trialwright.streams import Streams


@dataclass(frozen=True)
class Training:
    """A loss that falls towards ``x`` from above, differently fast; where ``x`` is large it is NaN."""

    steps: int = 27

    def start(self, config: dict[str, Any], seed: int) -> int:
        return 0

    def step(self, config: dict[str, Any], state: int) -> tuple[int, dict[str, Any], float] | None:
        if state >= self.steps:
            return None
        x = config["x"]
        loss = math.nan if x > 0.8 else x + (1 - x) / (state + 1)
        return state + 1, {"loss": loss, "x": x}, 0.5 + x


@dataclass
class Recorder:
    """Asks a scheduler and writes down each question and its answer."""

    scheduler: Scheduler
    calls: list[tuple[str, tuple[Any, ...], Any]] = field(default_factory=list)
    shown: list[tuple[str, str, str]] = field(default_factory=list)  # a method; its arguments before and after

    def _ask(self, method: str, *arguments: Any) -> Any:
        before = repr(arguments)
        answer = getattr(self.scheduler, method)(*arguments)
        self.shown.append((method, before, repr(arguments)))
        self.calls.append((method, tuple(map(copy.copy, arguments)), answer))
        return answer

    def setup(self, rng: Streams) -> None:
        self.scheduler.setup(rng)

    def on_start(self, trial: TrialView) -> Start:
        return self._ask("on_start", trial)  # type: ignore[no-any-return]

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        return self._ask("on_report", trial, report)  # type: ignore[no-any-return]

    def on_resume(self, trial: TrialView) -> Until:
        return self._ask("on_resume", trial)  # type: ignore[no-any-return]

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        self._ask("on_end", trial, outcome)

    def next(self, can_ask: bool) -> Choice:
        return self._ask("next", can_ask)  # type: ignore[no-any-return]

    def on_capacity(self, nodes: tuple[Node, ...]) -> None:
        if hasattr(self.scheduler, "on_capacity"):
            self._ask("on_capacity", nodes)

    def state(self) -> Plain:
        return self.scheduler.state()

    def restore(self, state: Plain) -> None:
        self.scheduler.restore(state)

    def of(self, method: str) -> list[tuple[tuple[Any, ...], Any]]:
        return [(arguments, answer) for name, arguments, answer in self.calls if name == method]


class SchedulerContract:
    """The promises. ``rungs``: trials are compared at rungs, where a NaN must lose. ``objectives``: "loss", or "x"."""

    rungs = False
    objectives: tuple[str, ...] = ("loss",)

    def make(self) -> Scheduler:
        raise NotImplementedError

    def searcher(self) -> Searcher:
        """Where it needs answers that not every searcher has."""
        return Perturb(Random())

    def test_what_it_is_shown_stays_as_it_is(self):
        for method, shown, after in self.recorded().shown:
            assert shown == after, method

    def run(self, workers: int = 3, *, lost_per_hour: float = 0, checkpoints: bool = True, **plan: Any) -> Simulation:
        delays = Delays(launch_s=0.1, halt_s=0.2, report_s=0.01, ask_s=0.05)
        faults = Faults(lost_per_hour=lost_per_hour)
        executor = Simulated(workers, delays=delays, faults=faults, checkpoints=checkpoints)
        modes = ("min",) * len(self.objectives)
        goals = {"metrics": self.objectives, "modes": modes}
        told: dict[str, Any] = {"samples": 20, "max_failures": -1, **goals, **plan}
        return simulate(Training(), Recorder(self.make()), executor, searcher=self.searcher(), **told)

    def recorded(self, **settings: Any) -> Recorder:
        recorder = self.run(**settings).scheduler
        assert isinstance(recorder, Recorder)
        return recorder

    @pytest.mark.parametrize("checkpoints", [True, False])
    @pytest.mark.parametrize("lost_per_hour", [0, 60])
    @pytest.mark.parametrize("workers", [1, 3, 16])
    def test_a_run_comes_to_its_end_and_every_trial_to_its_own(self, workers, lost_per_hour, checkpoints):
        simulation = self.run(workers, lost_per_hour=lost_per_hour, checkpoints=checkpoints)
        assert simulation.experiment.done
        assert len(simulation.experiment.trials) == 20
        assert all(trial.outcome for trial in simulation.experiment.trials.values())

    @given(st.integers(1, 12), st.integers(1, 24), st.sampled_from([0, 30, 300]), st.booleans(), st.integers(0, 9))
    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    def test_nothing_gets_stuck_whatever_is_lost(self, workers, samples, lost_per_hour, checkpoints, seed):
        """One verdict a report, each paused trial resumed or ended, and an end in as much time as the work takes."""
        faults = {"lost_per_hour": lost_per_hour, "checkpoints": checkpoints}
        simulation = self.run(workers, samples=samples, seed=seed, **faults)
        assert simulation.experiment.done
        assert Counter(trial.state for trial in simulation.experiment.trials.values()) == {"ended": samples}
        paused, answered = set[int](), 0
        for method, arguments, answer in simulation.scheduler.calls:  # type: ignore[attr-defined]
            answered += method == "on_report" and isinstance(answer, Verdict)
            paused |= {arguments[0].id} if isinstance(answer, Pause) else set()
            paused -= {answer.trial} if isinstance(answer, Resume) else set()
            paused -= {arguments[0].id} if method == "on_resume" else set()
            paused -= {arguments[0].id} if method == "on_end" else set()
        assert not paused
        assert answered == len(simulation.scheduler.of("on_report"))  # type: ignore[attr-defined]
        if checkpoints and not lost_per_hour:
            assert simulation.moments[-1].now <= samples * (27 * 1.52 + 10)

    def test_a_trial_that_is_tried_again_is_admitted_anew(self):
        scheduler = self.fresh()
        trial: Any = SimpleNamespace(id=0, resources={"cpu": 1.0}, config={}, tags={}, until=(), checkpoint=None)
        for _ in range(3):
            until = scheduler.on_start(trial).until
            for step in range(1, 28):
                metrics: dict[str, Any] = {"step": step, "time_s": float(step)}
                if any(boundary.met(metrics) for boundary in until):
                    verdict = scheduler.on_report(trial, Report(step, (0.5,) * len(self.objectives), metrics))
                    if isinstance(verdict, Pause | Stop):
                        break
                    until = verdict.until
            scheduler.on_end(trial, Outcome("failed"))
        assert isinstance(scheduler.next(can_ask=True), New | Consult)

    @pytest.mark.parametrize("step", range(1, 13))
    def test_a_stop_rule_may_outweigh_any_verdict(self, step):
        """Also a Pause, of which the scheduler cannot know yet that it did not come about."""
        assert self.run(1, stop={"step": step}, samples=12).experiment.done

    @pytest.mark.parametrize(
        "stop", [{"step": 7}, lambda trial, metrics: metrics["step"] >= 7], ids=["dict", "function"]
    )
    def test_stop_rules_combine_with_it(self, stop):
        simulation = self.run(stop=stop, lost_per_hour=30)
        assert simulation.experiment.done
        assert max(trial.step for trial in simulation.experiment.trials.values()) <= 7
        reasons = [str(trial.outcome) for trial in simulation.experiment.trials.values() if trial.step == 7]
        assert all(reason.startswith(("stopped (step >= 7", "stopped (stop rule")) for reason in reasons)

    def test_a_trial_is_started_once_and_ended_once_and_not_named_again(self):
        recorder = self.recorded(lost_per_hour=60)
        ended: set[int] = set()
        for method, arguments, answer in recorder.calls:
            if method == "on_start":
                assert arguments[0].id not in ended
            named = {arguments[0].id} if method not in ("next", "on_capacity") else set()
            named |= {answer.trial} if isinstance(answer, Resume | Drop) else set()
            named |= {answer.donor} if isinstance(answer, Clone) else set()
            assert not named & ended or isinstance(answer, Clone)
            ended |= named if method == "on_end" else set()
        for method in ("on_start", "on_end"):
            assert Counter(arguments[0].id for arguments, _ in recorder.of(method)) == dict.fromkeys(range(20), 1)

    def test_every_report_at_a_boundary_gets_one_verdict(self):
        recorder = self.recorded(lost_per_hour=60)
        last: dict[int, int] = {}
        for (trial, report), verdict in recorder.of("on_report"):
            assert isinstance(verdict, Verdict)
            assert any(boundary.met(report.metrics) for boundary in trial.until)
            assert report.step > last.get(trial.id, 0)
            last[trial.id] = 0 if isinstance(verdict, Clone) else report.step

    def test_a_lease_that_continues_ends_later_than_the_report_it_answers(self):
        for (_, report), verdict in self.recorded().of("on_report"):
            if isinstance(verdict, Continue):
                assert not any(boundary.met(report.metrics) for boundary in verdict.until)

    def test_every_paused_trial_is_resumed_or_ended(self):
        paused: set[int] = set()
        for method, arguments, answer in self.recorded(workers=1).calls:
            if isinstance(answer, Pause):
                paused.add(arguments[0].id)
            elif isinstance(answer, Resume):
                assert answer.trial in paused, "only what is paused is resumed"
                paused.remove(answer.trial)
            elif method in ("on_end", "on_resume"):
                paused.discard(arguments[0].id)
        assert not paused

    def test_a_nan_never_survives_a_rung(self):
        verdicts = [verdict for (_, r), verdict in self.recorded().of("on_report") if math.isnan(r.values[0])]
        assert verdicts
        if self.rungs:
            assert not any(isinstance(verdict, Continue | Pause | Resize) for verdict in verdicts)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_scheduler_restored_from_json_decides_as_the_one_that_went_on(self, share):
        calls = self.recorded(lost_per_hour=60).calls
        split = int(len(calls) * share)
        went_on, restored = self.fresh(), self.fresh()
        self.repeat(went_on, calls[:split])
        restored.restore(read_plain(json.loads(json.dumps(to_plain(went_on.state()), allow_nan=False))))
        assert self.repeat(restored, calls[split:]) == [answer for _, _, answer in calls[split:]]

    def fresh(self) -> Scheduler:
        scheduler = self.make()
        scheduler.setup(Streams(0))
        return scheduler

    @staticmethod
    def repeat(scheduler: Scheduler, calls: list[tuple[str, tuple[Any, ...], Any]]) -> list[Any]:
        return [getattr(scheduler, method)(*arguments) for method, arguments, _ in calls]

    def test_a_question_without_consequence_leaves_the_state_as_it_was(self):
        scheduler = self.fresh()
        closed = False  # with the first Wait after the last new trial it may close what will not be filled
        for method, arguments, _ in self.recorded().calls:
            before = to_plain(scheduler.state())
            answer = getattr(scheduler, method)(*arguments)
            if isinstance(answer, Wait):
                assert to_plain(scheduler.state()) == before or not (closed or arguments[0])
                closed = closed or not arguments[0]

    def test_setup_forgets_another_run(self):
        used = self.make()
        used.setup(Streams(0))
        calls = self.recorded().calls
        self.repeat(used, calls)
        used.setup(Streams(0))
        assert self.repeat(used, calls) == [answer for _, _, answer in calls]

    @pytest.mark.parametrize("workers", [1, 16])
    def test_the_same_seed_gives_the_same_decisions(self, workers):
        def decisions() -> list[list[Decision]]:
            return [moment.decisions for moment in self.run(workers, lost_per_hour=60, seed=3).moments]

        assert str(decisions()) == str(decisions())
