"""Reads a glossary file: CSV, TSV or semicolons, with or without a row of names. Light: the server imports it."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.glossary import MOST_TERMS, Term
from app.domain.problems.glossary import GLOSSARY_INVALID
from app.dubbing.subtitles.encoding import decode

_MOST_BYTES: Final = 1 << 20
_COLUMNS: Final = ("term", "translation", "say", "phonemes", "keep")
_NAMES: Final = {
    "term": "term source word name original",
    "translation": "translation target translated",
    "say": "say alias pronunciation spoken",
    "phonemes": "phonemes phoneme espeak",
    "keep": "keep donottranslate do_not_translate dnt",
}
_COLUMN_OF: Final = {name: column for column, names in _NAMES.items() for name in names.split()}
_YES: Final = frozenset(["1", "x", "yes", "true", "y", "ja", "si", "sí", "oui"])


def read_glossary(data: bytes) -> tuple[Term, ...]:
    """The terms of a file in any usual encoding. Without a row of names its columns are term, translation, say,
    phonemes, keep. A term whose translation is itself is kept as it is. Raises glossary_invalid, with the row."""
    if len(data) > _MOST_BYTES:
        raise DubError(GLOSSARY_INVALID, f"It is larger than {_MOST_BYTES >> 20} MB.")
    text = decode(data).text.lstrip("\ufeff")
    rows = [(n, [cell.strip() for cell in row]) for n, row in enumerate(_rows(text), 1)]
    rows = [(n, row) for n, row in rows if any(row) and not row[0].startswith("#")]
    if not rows:
        raise DubError(GLOSSARY_INVALID, "It has no terms.")
    columns: Sequence[str] = _COLUMNS
    named = [_COLUMN_OF.get("".join(cell.casefold().split()), "") for cell in rows[0][1]]
    if "term" in named:
        columns, rows = named, rows[1:]
    terms: dict[str, Term] = {}
    for number, row in rows:
        term = _term(number, dict(zip(columns, row, strict=False)))
        terms[term.term] = term
    if len(terms) > MOST_TERMS:
        raise DubError(GLOSSARY_INVALID, f"It has {len(terms)} terms.")
    return tuple(terms.values())


def _rows(text: str) -> list[list[str]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;,", key=lambda mark: (first.count(mark), mark == "\t"))
    try:
        return list(csv.reader(text.splitlines(), delimiter=delimiter))
    except csv.Error as error:
        raise DubError(GLOSSARY_INVALID, f"{error}.") from None


def _term(number: int, row: dict[str, str]) -> Term:
    found = {name: unicodedata.normalize("NFC", row.get(name, "")) for name in _COLUMNS}
    keep = found.pop("keep").casefold() in _YES or (found["translation"] == found["term"])
    if keep:
        found["translation"] = ""
    try:
        return msgspec.convert({**found, "keep": keep}, Term)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise DubError(GLOSSARY_INVALID, f"Row {number}, {where.rstrip('`') or 'term'}: {what}.") from None
