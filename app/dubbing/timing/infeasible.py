"""Finds a small set of lines that makes a schedule impossible."""

from __future__ import annotations

import numpy as np

from app.dubbing.timing.lines import Doubles, FitLines
from app.dubbing.timing.weights import Weights

_EXACT = 1e-6


def misfits(lines: FitLines, weights: Weights) -> list[int]:
    """The lines that do not fit, sorted; empty when everything does. Without them the others fit.

    A voice fits when every line, played as fast as it may be, ends before the next moment that cannot wait: a locked
    start, the video's end. Where that fails, the lines between two such moments are too long together; of those, the
    ones that can be left out without changing that are not to blame.
    """
    least_s = np.where(lines.rate_locked, lines.natural_s, lines.natural_s / weights.fastest)
    fit_alone = (lines.start_s < lines.video_end_s) & (least_s <= lines.video_end_s + _EXACT)
    found = set(np.flatnonzero(~fit_alone).tolist())
    for voice in range(int(lines.voice.max()) + 1):
        members = np.flatnonzero(fit_alone & (lines.voice == voice)).tolist()
        while wrong := _of_one_voice(members, lines, least_s):
            found |= wrong
            members = [i for i in members if i not in wrong]
    return sorted(found)


def _of_one_voice(members: list[int], lines: FitLines, least_s: Doubles) -> set[int]:
    found: set[int] = set()
    queue: list[int] = []  # since the last locked start, which is its first line, or since 0
    free_s = 0.0
    for i in members:
        if lines.start_locked[i]:
            if free_s > lines.start_s[i] + _EXACT:
                found |= _guilty(queue, lines, least_s, float(lines.start_s[i])) | {i}
            queue, free_s = [], float(lines.start_s[i])
        queue.append(i)
        free_s += least_s[i]
        if free_s > lines.video_end_s + _EXACT:
            found |= _guilty(queue, lines, least_s, lines.video_end_s)
            queue, free_s = [], -np.inf  # what follows has no say any more
    return found


def _guilty(queue: list[int], lines: FitLines, least_s: Doubles, until_s: float) -> set[int]:
    """Of lines that do not fit one after the other before `until_s`: leaves out what can be left out, the shortest
    first."""
    from_s = float(lines.start_s[queue[0]]) if lines.start_locked[queue[0]] else 0.0
    over_s = from_s + float(least_s[queue].sum()) - until_s
    guilty = set(queue)
    for i in sorted(queue, key=lambda i: (least_s[i], i)):
        if i == queue[0] and lines.start_locked[i]:
            continue
        if over_s - least_s[i] > _EXACT:
            over_s -= least_s[i]
            guilty.discard(i)
    return guilty
