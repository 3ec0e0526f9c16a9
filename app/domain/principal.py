"""Who asks for something. Today there is one: anyone who reaches the server. Services are told, so that a check has its
place when there are more."""

from __future__ import annotations

from typing import Final

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """`id` is "anyone" where nobody has said who they are."""

    id: str


ANYONE: Final = Principal("anyone")
