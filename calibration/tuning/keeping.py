"""Keeping a tuned chip tuned: it is looked at now and then, and re-tuned when it leaves its tolerance."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor

from calibration.device import Array, Device, Waiting
from calibration.errors import CalibrationError, NotFinite, PlanError, ReadingFailed
from calibration.tuning.method import ProbeQuery, Problem, under
from calibration.tuning.paired import Paired, compared
from calibration.tuning.probed import Probed
from calibration.tuning.readout import CorrectedReadout, ReadoutChange
from calibration.tuning.tuner import Snapshot, Tuner, TuningStep
from calibration.tuning.watch import READOUT, KeepingPlan, Look, Retuning, Rung

Wait = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class _Seen(Probed):
    """A reading of the probe set with what was read, (samples, n_out)."""

    outputs: Tensor


class Keeper:
    """A tuned chip under watch; iterate for looks, and for the steps of re-tunings between them.

    At every `every_s` of the device's time the probe set is read and compared, sample by sample, with what was read at
    the start. The chip is out of its tolerance when what is watched has fallen by more than the tolerance, and fallen
    beyond doubt. Then the ladder is climbed, from the cheapest rung on, each with its own budget and followed by a
    look, until a look reads no more than the tolerance, or no rung is left; the next look begins anew at the lowest.
    Whatever the rungs did, the chip is judged against the start, so that it cannot get worse by small steps.

    Args:
        device: the chip.
        problem: what is known; its probe set is what is looked at.
        ladder: from the cheapest rung to the most expensive; empty to watch alone.
        plan: when, how long, how good.
        start: controls that were tuned, in their unit.
        wait: lets time pass on the device's bench; the device's own by default.
        resume: what `snapshot` gave after some look or step; then `start` is not looked at.

    Raises:
        PlanError, ShapeError: the device cannot wait, or a rung does not fit it.
        BudgetTooSmall: a rung whose budget does not pay for one step and what shows that it helped.
        OutsideLimits: the start is outside the limits.
    """

    def __init__(
        self,
        device: Device,
        problem: Problem,
        ladder: Sequence[Rung],
        plan: KeepingPlan,
        start: Array,
        *,
        wait: Wait | None = None,
        resume: Snapshot | None = None,
    ) -> None:
        if wait is None:
            if not isinstance(device, Waiting):
                raise PlanError("this device has no way to let time pass; give one as `wait`")
            wait = device.wait
        self._wait_s = wait
        self.device, self.problem, self.ladder, self.plan = device, problem, tuple(ladder), plan
        n_out = len(device.outputs.names)
        self._readout = CorrectedReadout(problem.asking, np.ones(n_out), np.zeros(n_out))
        self.looks: list[Look] = []
        self._time_s, self._chip_s, self._spent, self._compared = 0.0, 0.0, 0, 0
        self._rung: int | None = None  # that is being climbed
        self._begun: Retuning | None = None  # with the marks of its begin in place of what it took
        self._tuner: Tuner | None = None
        self._tuned: Snapshot | None = None  # a re-tuning to go on with
        self._reference: _Seen | None = None
        self._last: _Seen | None = None
        if resume is None:
            problem.check(device)
            self._start = self._best = problem.limits.controls(problem.limits.theta(start))
        else:
            self._restore(resume)
        for rung in self.ladder:  # what does not fit is told before the first reading
            Tuner(device, problem, rung.method, rung.plan, self._best)

    @property
    def best(self) -> Array:
        """The controls that are kept, (n,), in their unit."""
        return self._best

    @property
    def time_s(self) -> float:
        """The device's time since the start."""
        return self._time_s

    @property
    def readings(self) -> int:
        """Spent so far on looks and re-tunings."""
        return self._spent

    @property
    def compared_readings(self) -> int:
        """Spent besides on the parameters of the start."""
        return self._compared

    @property
    def chip_time_s(self) -> float:
        """The time that the chip was driven in."""
        return self._chip_s

    @property
    def retunings(self) -> list[Retuning]:
        """Every rung that was tried."""
        return [look.retuning for look in self.looks if look.retuning is not None]

    def __iter__(self) -> Iterator[Look | TuningStep]:
        """Watch to the end; the best parameters are on the device then, and after an error of the algorithms too.

        Raises ReadingFailed or NotFinite after so many looks on end that came to nothing.
        """
        try:
            yield from self._watch()
        except (CalibrationError, GeneratorExit):
            self.device.set_controls(self._best)
            raise
        self.device.set_controls(self._best)

    def _watch(self) -> Iterator[Look | TuningStep]:
        if self._reference is None:
            yield self._first()
        else:
            with self._driven():
                self.device.set_controls(self._best)
        while True:
            if self._rung is not None:
                yield from self._climb()
            if not self._wait():
                return
            look = self._look()
            self._rung = 0 if look.verdict == "out" else None
            yield look

    def _wait(self) -> bool:
        """Let time pass up to the next look; whether there is one, and it can be paid."""
        every = self.plan.every_s
        due_s = (math.floor(self._time_s / every + 1e-9) + 1) * every
        if due_s > self.plan.duration_s * (1.0 + 1e-9) or not self._affordable(0):
            return False
        left_s = due_s - self._time_s
        self._wait_s(left_s)
        self._time_s += left_s
        return True

    @property
    def _look_cost(self) -> int:
        return self.plan.passes * self.problem.asking.cost(len(self.problem.task.probe))

    def _affordable(self, readings: int) -> bool:
        """Whether so many readings and a look after them can be paid."""
        return self.plan.readings is None or self._spent + readings + self._look_cost <= self.plan.readings

    @contextmanager
    def _driven(self, *, compared: bool = False) -> Iterator[None]:
        """Whatever drives the device is done in here, so that it is counted."""
        before = self.device.cost
        try:
            yield
        finally:
            after = self.device.cost
            took_s, readings = after.chip_time_s - before.chip_time_s, after.readings - before.readings
            self._time_s += took_s
            if compared:
                self._compared += readings
            else:
                self._spent, self._chip_s = self._spent + readings, self._chip_s + took_s

    # Looking ----------------------------------------------------------------------------------------------

    def _first(self) -> Look:
        with self._driven():
            seen = self._reference = self._see()
        return self._record(Look(self._time_s, self._spent, "start", seen.loss, seen.score))

    def _look(self, retuning: Retuning | None = None) -> Look:
        """Look, and judge; a look that comes to nothing says so."""
        self._last = None
        try:
            with self._driven():
                seen = self._last = self._see()
        except (ReadingFailed, NotFinite):
            failed = Look(self._time_s, self._spent, "failed", math.nan, math.nan)
            recent = [*self.looks, failed][-self.plan.failures :]
            if len(recent) == self.plan.failures and all(look.verdict == "failed" for look in recent):
                raise
            return self._record(failed, retuning)
        reference, change = self._known_reference, None
        if retuning is not None and retuning.rung != READOUT:  # other parameters answer otherwise
            self._reference = replace(reference, outputs=seen.outputs)
        else:
            change = ReadoutChange.between(reference.outputs.numpy(), seen.outputs.numpy())
        fall = self._fall(seen, reference)
        # it takes certainty to begin, and the tolerance itself to be content
        out = fall.difference > self.plan.tolerance and (fall.worse or retuning is not None)
        look = Look(
            self._time_s,
            self._spent,
            "out" if out else "within",
            seen.loss,
            seen.score,
            fall.difference,
            fall.error,
            *((), (), ()) if change is None else change.as_tuples(),
        )
        return self._record(look, retuning)

    @property
    def _known_reference(self) -> _Seen:
        if self._reference is None:
            raise PlanError("the start has not been read yet")
        return self._reference

    def _fall(self, seen: _Seen, reference: _Seen) -> Paired:
        """How much worse what is watched has become."""
        if self.plan.watch == "loss":
            return compared(seen.losses, reference.losses, self.plan.significance)
        return compared(-seen.scores, -reference.scores, self.plan.significance)

    def _see(self, at_start: bool = False) -> _Seen:
        """Read the probe set under the present parameters, or under those of the start as the readout was then."""
        task, asking = self.problem.task, self.problem.asking if at_start else self._readout
        problem = replace(self.problem, asking=asking)
        theta = self.problem.limits.theta(self._start if at_start else self._best)
        rows = np.arange(len(task.probe))
        passes = []
        for _ in range(self.plan.passes):
            answer = ProbeQuery(theta, rows).take(problem, self.device)
            usable = answer.reading.usable
            outputs = torch.full_like(answer.reading.outputs, math.nan)
            outputs[usable] = answer.reading.outputs[usable]
            passes.append(_Seen(answer.placed(answer.losses), answer.placed(answer.scores), outputs))
        return _Seen(*(torch.stack([getattr(one, key) for one in passes]).nanmean(dim=0) for key in _PARTS))

    def _record(self, look: Look, retuning: Retuning | None = None) -> Look:
        """Keep a look, with what the parameters of the start would read, or with the rung that it judges."""
        if retuning is not None:
            retuning = replace(retuning, loss_after=look.loss, score_after=look.score)
            look = replace(look, retuning=retuning)
        elif not self._readout.corrects and np.array_equal(self._best, self._start):
            look = replace(look, start_loss=look.loss, start_score=look.score)
        elif self.plan.compare and look.verdict != "failed":
            with self._driven(compared=True):
                start = self._see(at_start=True)
            look = replace(look, start_loss=start.loss, start_score=start.score)
        self.looks.append(look)
        return look

    # Re-tuning --------------------------------------------------------------------------------------------

    def _climb(self) -> Iterator[Look | TuningStep]:
        """The rungs of the ladder, from the present one on, until a look is within."""
        rungs: list[Rung | None] = [*([None] if self.plan.readout else []), *self.ladder]
        while self._rung is not None and self._rung < len(rungs):
            rung = rungs[self._rung]
            if not self._affordable(rung.plan.readings if rung else self._look_cost):
                break
            if self._begun is None:
                self._begun = self._begin(rung.method.name if rung else READOUT)
            failed, undo, before = "", self._readout, None
            try:
                if rung is None:
                    before = self._reread()
                else:
                    yield from self._retune(rung)
            except CalibrationError as error:
                failed = f"{type(error).__name__}: {error}"
            took = replace(
                self._begun,
                readings=self._spent - self._begun.readings,
                chip_time_s=self._chip_s - self._begun.chip_time_s,
                failed=failed,
            )
            self._begun = self._tuner = self._tuned = None
            look = self._look(took)
            if before is not None and not self._better_than(before):
                self._readout = undo
            self._rung = None if look.verdict == "within" else self._rung + 1
            yield look
        self._rung = None

    def _begin(self, name: str) -> Retuning:
        last = self.looks[-1]
        return Retuning(
            name, self._time_s, self._spent, self._chip_s, last.loss, math.nan, last.score, math.nan
        )

    def _better_than(self, before: _Seen) -> bool:
        """Whether the last look reads better, beyond doubt."""
        last = self._last
        return last is not None and compared(last.losses, before.losses, self.plan.significance).better

    def _reread(self) -> _Seen:
        """Take off what gain and offset of the outputs have become; what was read with it still in."""
        with self._driven():
            seen = self._see()
        change = ReadoutChange.between(self._known_reference.outputs.numpy(), seen.outputs.numpy())
        if change is None or not (np.abs(change.gain) > _LEAST_GAIN).all():
            raise ReadingFailed(
                "gain and offset cannot be told from so few points, or hardly anything is left of them"
            )
        self._readout = self._readout.after(change)
        return seen

    def _retune(self, rung: Rung) -> Iterator[TuningStep]:
        """A method at work, from the best parameters on, or from where it was interrupted."""
        seed = np.random.SeedSequence((self.problem.seed, len(self.looks))).generate_state(1)[0]
        problem = replace(self.problem, asking=self._readout, seed=int(seed))
        self._tuner = tuner = Tuner(self.device, problem, rung.method, rung.plan, self._best, self._tuned)
        steps = iter(tuner)
        try:
            while True:
                with self._driven():
                    step = next(steps, None)
                self._best = tuner.best
                if step is None:
                    return
                yield step
        finally:
            steps.close()

    # Going on ---------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What a watch that goes on from here needs."""
        arrays = {"start": self._start, "best": self._best}
        arrays |= {"gain": self._readout.gain, "offset": self._readout.offset}
        if self._reference is not None:
            arrays |= {f"reference.{key}": getattr(self._reference, key).numpy() for key in _PARTS}
        tuning = self._tuner.snapshot() if self._tuner is not None else self._tuned
        if tuning is not None:
            arrays |= {f"{_TUNING}{name}": values for name, values in tuning.arrays.items()}
        facts = {
            "time_s": self._time_s,
            "chip_time_s": self._chip_s,
            "readings": self._spent,
            "compared": self._compared,
            "rung": self._rung,
            "begun": None if self._begun is None else asdict(self._begun),
            "looks": [asdict(look) for look in self.looks],
            "tuning": None if tuning is None else dict(tuning.facts),
        }
        return Snapshot(arrays, facts)

    def _restore(self, saved: Snapshot) -> None:
        arrays, facts = saved.arrays, saved.facts
        if arrays["best"].shape != self.problem.limits.low.shape:
            raise PlanError(
                f"a watch over {len(arrays['best'])} controls cannot go on over {len(self.problem.limits.names)}"
            )
        self._start, self._best = arrays["start"], arrays["best"]
        self._readout = replace(self._readout, gain=arrays["gain"], offset=arrays["offset"])
        self._time_s, self._chip_s = facts["time_s"], facts["chip_time_s"]
        self._spent, self._compared, self._rung = facts["readings"], facts["compared"], facts["rung"]
        self._begun = None if facts["begun"] is None else Retuning(**facts["begun"])
        self.looks = [Look.of(look) for look in facts["looks"]]
        if "reference.losses" in arrays:
            self._reference = _Seen(*(torch.as_tensor(arrays[f"reference.{key}"]) for key in _PARTS))
        if facts["tuning"] is not None:
            self._tuned = Snapshot(under(_TUNING, arrays), facts["tuning"])


_PARTS = ("losses", "scores", "outputs")
_TUNING = "tuning."
_LEAST_GAIN = 0.05  # below this share of what it was, an output is lost rather than weaker
