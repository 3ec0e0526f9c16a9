"""Aligns words with sound: dynamic time warping without numba, for openai-whisper's word times."""

from __future__ import annotations

from typing import Any

import numpy as np

Path2 = np.ndarray[Any, np.dtype[np.int64]]


def dtw(cost: Any) -> Path2:
    """The cheapest way through `cost` (tokens by frames, a torch tensor or an array), as int64 (2, n): token and frame
    of each step.

    The same path as `whisper.timing.dtw_cpu`, ties included. Cells of one anti-diagonal depend on the two before it
    alone, so that each is one numpy operation (Sakoe and Chiba, 1978, with the steps of Whisper).
    """
    matrix = np.asarray(cost.double().cpu().numpy() if hasattr(cost, "cpu") else cost, np.float64)
    rows, columns = matrix.shape
    total = np.full((rows + 1, columns + 1), np.inf, np.float32)
    step = np.full((rows + 1, columns + 1), 2, np.int8)
    total[0, 0] = 0.0
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        both, down, right = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        way = np.where((both < down) & (both < right), 0, np.where((down < both) & (down < right), 1, 2))
        total[i, j] = matrix[i - 1, j - 1] + np.choose(way, (both, down, right))
        step[i, j] = way
    step[0, :], step[:, 0] = 2, 1
    return _back(step, rows, columns)


def _back(step: np.ndarray[Any, np.dtype[np.int8]], i: int, j: int) -> Path2:
    path = []
    while i > 0 or j > 0:
        path.append((i - 1, j - 1))
        way = step[i, j]
        i, j = i - (way != 2), j - (way != 1)
    return np.array(path[::-1], np.int64).reshape(-1, 2).T
