"""The price table: published prices, the operator's before them, and no price that nobody has told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.config.environment import SettingsError, load
from app.config.settings import Settings
from app.server.engines import engines_of
from app.spending.prices import INPUT, PUBLISHED, read, with_operators

OPENAI = "https://api.openai.com/v1"


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text(json.dumps({"prices": rows}))
    return path


def test_every_published_price_says_when_it_was_told() -> None:
    assert all(row.published and row.usd is not None for row in PUBLISHED.rows)


def test_a_price_is_that_of_its_model_at_its_address_only() -> None:
    assert PUBLISHED.usd("openai", "character", model="tts-1-hd", url=OPENAI) == pytest.approx(30e-6)
    assert PUBLISHED.usd("chat", INPUT, model="gpt-4o-mini", url=OPENAI) == pytest.approx(0.15e-6)
    assert PUBLISHED.usd("openai", "character", model="tts-1", url="https://speech.example.org/v1") is None
    assert PUBLISHED.usd("chat", INPUT, model="a-model-of-next-year", url=OPENAI) is None


def test_the_operators_rows_come_first_and_may_take_a_price_away(tmp_path: Path) -> None:
    path = written(
        tmp_path / "prices.json",
        {"engine": "elevenlabs", "unit": "credit", "usd": 0.3, "per": 1000},
        {"engine": "scribe", "unit": "minute", "usd": None},
        {"engine": "chat", "unit": INPUT, "usd": 1, "per": 1e6, "model": "llama-*", "host": "*.example.org"},
    )
    prices = with_operators(read(path))
    assert prices.usd("elevenlabs", "credit") == pytest.approx(0.0003)
    assert prices.usd("scribe", "minute") is None
    assert prices.usd("chat", INPUT, model="llama-4", url="https://a.example.org/v1") == pytest.approx(1e-6)
    registry = engines_of(Settings(data=tmp_path, prices=str(path)), lambda engine: None)
    unit = registry.voices["elevenlabs"].cost_unit
    assert unit is not None and unit.usd == pytest.approx(0.0003)


@pytest.mark.parametrize(
    "text",
    ["{", '{"prices": [{"engine": "chat"}]}', '{"prices": [{"engine": "a", "unit": "b", "usd": -1}]}', '{"rows": []}'],
)
def test_a_table_that_cannot_be_read_stops_the_start_with_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"^AUTODUBBER_PRICES: .*[.]$"):
        load({"AUTODUBBER_PRICES": str(path)})
    with pytest.raises(SettingsError, match="cannot read it"):
        load({"AUTODUBBER_PRICES": str(tmp_path / "none.json")})
