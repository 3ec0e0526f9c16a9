"""Linear programs solved by the HiGHS that scipy brings, without the third of a second that importing scipy.optimize
takes.

HiGHS lies in one extension module of scipy's. Where that is not found, or gives up, scipy.optimize.linprog solves the
program: the same engine with the same options gives the same numbers.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_MODULE: Final = "scipy.optimize._highspy._core"
_TOLERANCE: Final = 1e-9
_SOLVED, _INFEASIBLE = 0, 2  # scipy's words for how a linear program ended


class Program(msgspec.Struct, frozen=True):
    """Minimise prices x where matrix x <= limits (== in the last `equal` rows) and 0 <= x <= widths. The matrix as its
    entries: `rows`, `columns`, `values`.
    """

    prices: Doubles
    widths: Doubles
    rows: Indices
    columns: Indices
    values: Doubles
    limits: Doubles
    equal: int


class GaveUpError(Exception):
    """The simplex method has neither solved the program nor found that it has no solution."""


def solve(program: Program) -> Doubles | None:
    """The cheapest x, float64 (columns,); None when there is none."""
    core = _core()
    if core is not None:
        try:
            return _simplex(core, program)
        except GaveUpError:
            pass
    return by_scipy(program)


def _simplex(core: Any, program: Program) -> Doubles | None:
    starts, rows, values = _by_column(program)
    lp = core.HighsLp()
    lp.num_col_ = lp.a_matrix_.num_col_ = len(program.prices)
    lp.num_row_ = lp.a_matrix_.num_row_ = len(program.limits)
    lp.a_matrix_.format_ = core.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = starts, rows, values
    lp.col_cost_ = program.prices
    lp.col_lower_, lp.col_upper_ = np.zeros(len(program.widths)), np.minimum(program.widths, core.kHighsInf)
    lp.row_upper_ = program.limits
    lp.row_lower_ = np.append(
        np.full(len(program.limits) - program.equal, -core.kHighsInf),
        program.limits[len(program.limits) - program.equal :],
    )
    options = core.HighsOptions()
    options.presolve = "off"  # it takes twice the time and gains nothing
    options.solver = "simplex"
    options.simplex_strategy = core.simplex_constants.SimplexStrategy.kSimplexStrategyDual
    options.primal_feasibility_tolerance = options.dual_feasibility_tolerance = _TOLERANCE
    options.log_to_console = options.output_flag = False
    highs = core._Highs()
    if core.HighsStatus.kError in (highs.passOptions(options), highs.passModel(lp), highs.run()):
        raise GaveUpError
    status = highs.getModelStatus()
    if status == core.HighsModelStatus.kInfeasible:
        return None
    if status != core.HighsModelStatus.kOptimal:
        raise GaveUpError
    return np.array(highs.getSolution().col_value)


def by_scipy(program: Program) -> Doubles | None:
    """`solve`, the long way."""
    from scipy import sparse  # type: ignore[import-untyped]
    from scipy.optimize import linprog  # type: ignore[import-untyped]

    shape = (len(program.limits), len(program.prices))
    matrix = sparse.csc_matrix((program.values, (program.rows, program.columns)), shape)
    free = shape[0] - program.equal
    parts = (matrix[:free], program.limits[:free], matrix[free:], program.limits[free:])
    bounds = np.column_stack([np.zeros(shape[1]), program.widths])
    options = {"presolve": False, "primal_feasibility_tolerance": _TOLERANCE, "dual_feasibility_tolerance": _TOLERANCE}
    result = linprog(program.prices, *parts, bounds, "highs-ds", options=options)
    # the simplex gave up: the interior point method seldom does on the same numbers
    if result.status not in (_SOLVED, _INFEASIBLE):
        result = linprog(program.prices, *parts, bounds, "highs-ipm")
    return np.asarray(result.x, np.float64) if result.status == _SOLVED else None


def _by_column(program: Program) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Doubles]:
    """The matrix column by column: where each begins, rows in order, values. Entries of one place are added up."""
    order = np.lexsort((program.rows, program.columns))
    rows, columns, values = program.rows[order], program.columns[order], program.values[order]
    first = np.ones(len(rows), np.bool_)
    first[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
    at = np.flatnonzero(first)
    values = np.add.reduceat(values, at) if len(at) else values
    starts = np.searchsorted(columns[at], np.arange(len(program.prices) + 1))
    return starts.astype(np.int32), rows[at].astype(np.int32), values


@functools.cache
def _core() -> ModuleType | None:
    """The extension module, without the packages that it lies in; None where this scipy has it elsewhere."""
    if _MODULE in sys.modules:
        return sys.modules[_MODULE]
    scipy = importlib.util.find_spec("scipy")
    folder = (
        Path(scipy.submodule_search_locations[0]) / "optimize" / "_highspy"
        if scipy and scipy.submodule_search_locations
        else Path()
    )
    found = PathFinder.find_spec("_core", [str(folder)])
    if found is None or found.origin is None:
        return None
    spec = importlib.util.spec_from_file_location(_MODULE, found.origin)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    expected = (
        "HighsLp",
        "HighsOptions",
        "HighsModelStatus",
        "MatrixFormat",
        "simplex_constants",
        "_Highs",
        "kHighsInf",
    )
    if not all(hasattr(module, name) for name in expected):
        return None
    sys.modules[_MODULE] = module  # an extension can be loaded once: scipy's own import finds this one
    return module
