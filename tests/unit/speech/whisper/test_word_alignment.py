"""The way through a matrix is the one that Whisper's own loops find."""

from __future__ import annotations

import numpy as np
import pytest

from app.speech.whisper.word_alignment import dtw


def by_loops(cost: np.ndarray) -> np.ndarray:
    """whisper.timing.dtw_cpu and backtrace, as they stand there, uncompiled."""
    rows, columns = cost.shape
    total = np.ones((rows + 1, columns + 1), np.float32) * np.inf
    trace = -np.ones((rows + 1, columns + 1), np.float32)
    total[0, 0] = 0
    for j in range(1, columns + 1):
        for i in range(1, rows + 1):
            c0, c1, c2 = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
            if c0 < c1 and c0 < c2:
                c, t = c0, 0
            elif c1 < c0 and c1 < c2:
                c, t = c1, 1
            else:
                c, t = c2, 2
            total[i, j] = cost[i - 1, j - 1] + c
            trace[i, j] = t
    i, j = rows, columns
    trace[0, :], trace[:, 0] = 2, 1
    found = []
    while i > 0 or j > 0:
        found.append((i - 1, j - 1))
        i, j = i - (trace[i, j] != 2), j - (trace[i, j] != 1)
    return np.array(found)[::-1].T


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 3), (12, 80)])
@pytest.mark.parametrize("steps", [0, 3])  # 3: many costs are equal
def test_the_path_is_the_one_of_whispers_own_loops(shape: tuple[int, int], steps: int) -> None:
    for seed in range(4):
        cost = np.random.default_rng(seed).standard_normal(shape)
        cost = np.round(cost * steps) / steps if steps else cost
        assert np.array_equal(dtw(cost), by_loops(cost))


def test_a_diagonal_is_followed() -> None:
    cost = np.ones((5, 50))
    for token in range(5):
        cost[token, token * 10 : token * 10 + 10] = -1.0
    path = dtw(cost)
    assert [int(path[1][path[0] == token][0]) for token in range(5)] == [0, 10, 20, 30, 40]
