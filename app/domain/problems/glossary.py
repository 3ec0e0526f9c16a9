"""What is wrong with a glossary."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

GLOSSARY_INVALID: Final = Problem(
    "glossary_invalid",
    422,
    "The glossary cannot be read.",
    "Use CSV or TSV: term, translation, say, phonemes, keep; one term in a row, at most 500.",
)
GLOSSARY_NOT_FOUND: Final = Problem(
    "glossary_not_found", 404, "There is no glossary of this name.", "List the glossaries; it may have been deleted."
)
