"""How far the work is, and how long the rest of it will take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app.domain.job import Phase
from app.domain.stages import Stage, in_phase

if TYPE_CHECKING:
    from app.storage.jobs import JobStore


class StageClock:
    """Progress and ETA of one running stage. `costs` are seconds per media second as measured here (or the first
    guess), for one of the job's `languages` where a stage runs for each."""

    def __init__(self, stage: Stage, media_s: float, costs: dict[str, float], *, languages: int = 1) -> None:
        stages = in_phase(stage.phase)
        at = stages.index(stage)
        whole = sum(s.weight for s in stages)
        self._done = sum(s.weight for s in stages[:at]) / whole
        self._weight = stage.weight / whole
        seconds = {s.name: costs[s.name] * media_s * (languages if s.each_language else 1) for s in stages}
        self._expected_s = seconds[stage.name]
        self._later_s = sum(seconds[s.name] for s in stages[at + 1 :])
        self._started = time.monotonic()
        self._base = 0.0

    def begin_at(self, fraction: float) -> None:
        """Work up to `fraction` was done in an earlier run: the pace is that of the work from now on."""
        self._base, self._started = fraction, time.monotonic()

    def overall(self, fraction: float) -> float:
        return min(self._done + self._weight * fraction, 1.0)

    def eta_s(self, fraction: float) -> float:
        """Remaining seconds of the phase: what this stage's own pace says, weighed in as it has proven itself over a
        quarter of what this run has to do."""
        elapsed_s = time.monotonic() - self._started
        done = fraction - self._base
        share = done / max(1 - self._base, 1e-9)  # of this run's work
        expected_left_s = max(self._expected_s * (1 - fraction), 0.0)
        if share <= 0.01 or elapsed_s < 1.0:
            return expected_left_s + self._later_s
        paced_left_s = elapsed_s / done * (1 - fraction)
        trust = min(share * 4, 1.0)
        return trust * paced_left_s + (1 - trust) * expected_left_s + self._later_s


def stage_costs(store: JobStore, phase: Phase) -> dict[str, float]:
    """Seconds per second of media, as measured on this machine, else a first guess."""
    measured = {stage: store.seconds_per_media_second(stage.name) for stage in in_phase(phase)}
    return {stage.name: stage.first_cost if cost is None else cost for stage, cost in measured.items()}
