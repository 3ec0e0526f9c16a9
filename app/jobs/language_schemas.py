"""Request bodies of the languages of a job."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

MOST_FURTHER: Final = 19  # languages beside the first
Short = Annotated[str, msgspec.Meta(max_length=255)]


class LanguageNew(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A further language of a job: ISO 639-1, with its region if that matters. Without `translator` it has the job's;
    "" is by hand. Without `voice` it has the job's, where that speaks any language, else the best local one."""

    language: Annotated[str, msgspec.Meta(max_length=35)]
    voice: Short | UnsetType = UNSET
    translator: Short | UnsetType = UNSET
