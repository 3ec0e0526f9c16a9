"""Decodes JSON from outside. Any fault in it raises `Malformed` with a message of one line.

Integers are held to LARGEST: SQLite keeps 64 bits, JavaScript reads 53.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeVar

import msgspec

T = TypeVar("T")

LARGEST: Final = 2**53 - 1
Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # Unix seconds, to the year 5138


class Malformed(ValueError):
    """The data is not JSON, or not of the expected shape; the message is one line."""


@contextlib.contextmanager
def malformed() -> Iterator[None]:
    """Within the block, every fault of decoding becomes Malformed."""
    try:
        yield
    except RecursionError:
        raise Malformed("it is nested too deep") from None
    except UnicodeDecodeError:
        raise Malformed("it is not valid UTF-8") from None
    except OverflowError:
        raise Malformed("a number is too large") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Malformed(str(error).splitlines()[0][:300] if str(error) else "it cannot be read") from None


def decoded(data: bytes, kind: type[T]) -> T:
    """The JSON in `data` as a `kind`. Raises Malformed."""
    with malformed():
        return msgspec.json.decode(data, type=kind)


def converted(value: Any, kind: type[T]) -> T:
    """Convert decoded JSON to a `kind`. Raises Malformed."""
    with malformed():
        return msgspec.convert(value, kind)
