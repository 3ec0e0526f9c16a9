"""What an environment variable is: the name, type, default and documentation of a setting.

A variable is `AUTODUBBER_` and the field's name in capitals, unless `name` says otherwise.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

PREFIX: Final = "AUTODUBBER_"


class Variable(msgspec.Struct, frozen=True):
    """One environment variable, for the reference and for reading."""

    field: str
    name: str
    type: Any
    default: Any
    description: str
    secret: bool
    choices: tuple[str, ...]


def variables_of(settings: type[msgspec.Struct]) -> tuple[Variable, ...]:
    """The variable of every field, in their order."""
    found = []
    for info in msgspec.structs.fields(settings):
        meta = next(m for m in info.type.__metadata__ if m.extra is not None)
        name = meta.extra.get("name", PREFIX + info.name.upper())
        found.append(
            Variable(
                info.name,
                name,
                info.type,
                info.default,
                meta.description or "",
                meta.extra.get("secret", False),
                meta.extra.get("choices", ()),
            )
        )
    return tuple(found)
