"""HiGHS by the short way gives what scipy.optimize.linprog gives, number by number, and is not imported with all of
scipy."""

import subprocess
import sys

import numpy as np
import pytest

from app.dubbing.timing import highs
from app.dubbing.timing.highs import Program, by_scipy, solve


def program(seed: int, columns: int = 60, rows: int = 40, equal: int = 5) -> Program:
    """One that has a solution: the limits are those of some x."""
    random = np.random.default_rng(seed)
    at, place = random.integers(0, rows, 300), random.integers(0, columns, 300)
    values = random.standard_normal(300)
    widths = np.where(random.random(columns) < 0.2, np.inf, random.random(columns) + 0.1)
    inside = random.random(columns) * np.minimum(widths, 1.0)
    limits = np.bincount(at, values * inside[place], rows) + np.where(
        np.arange(rows) < rows - equal, random.random(rows), 0
    )
    return Program(random.random(columns), widths, at, place, values, limits, equal)


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_give_the_same_numbers(seed: int) -> None:
    asked = program(seed)
    found = solve(asked)
    assert found is not None
    np.testing.assert_array_equal(found, by_scipy(asked))
    reached = np.bincount(asked.rows, asked.values * found[asked.columns], len(asked.limits))
    assert (reached <= asked.limits + 1e-7).all()
    assert reached[-5:] == pytest.approx(asked.limits[-5:], abs=1e-7)


def test_what_has_no_solution_has_none_either_way() -> None:
    asked = Program(np.ones(1), np.ones(1), np.zeros(1, np.intp), np.zeros(1, np.intp), np.ones(1), np.full(1, 2.0), 1)
    assert solve(asked) is None
    assert by_scipy(asked) is None


def test_a_program_without_rows_costs_nothing() -> None:
    none = np.zeros(0, np.intp)
    np.testing.assert_array_equal(
        solve(Program(np.ones(3), np.ones(3), none, none, np.zeros(0), np.zeros(0), 0)), np.zeros(3)
    )


def test_another_scipy_is_used_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs, "_core", lambda: None)
    np.testing.assert_array_equal(solve(program(3)), by_scipy(program(3)))


@pytest.mark.parametrize("first", ["solve", "by_scipy"])
def test_the_short_way_leaves_scipy_alone_and_the_long_way_works_after_it_and_before_it(first: str) -> None:
    """An extension module can be loaded once in a process."""
    second = {"solve": "by_scipy", "by_scipy": "solve"}[first]
    script = f"""
import sys
from app.dubbing.timing import highs
from tests.unit.dubbing.timing.test_highs import program
one = highs.{first}(program(1))
assert "{first}" != "solve" or "scipy.optimize" not in sys.modules
assert (one == highs.{second}(program(1))).all()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
