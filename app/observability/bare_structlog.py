"""Imports structlog without rich, which it would take for tracebacks in colour: a tenth of a second of each start.

Those tracebacks would also show the values of variables, among which are secrets.
"""

import sys

if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # "it cannot be imported"
    try:
        import structlog  # noqa: F401 - for what is imported after this
    finally:
        del sys.modules["rich"]
