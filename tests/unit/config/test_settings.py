"""The settings: every variable read, every wrong value one line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from app.config.environment import SettingsError, load
from app.config.settings import Settings, variables


def test_an_empty_environment_gives_the_defaults_with_an_absolute_data_folder() -> None:
    settings = load({})
    assert settings == msgspec.structs.replace(Settings(), data=Path("data").absolute())
    assert settings.data.is_absolute()


def test_every_field_is_a_variable_with_a_description() -> None:
    known = variables()
    assert [v.field for v in known] == [f.name for f in msgspec.structs.fields(Settings)]
    assert all(v.description.endswith(".") for v in known)
    assert len({v.name for v in known}) == len(known)


@pytest.mark.parametrize(
    ("name", "raw", "field", "value"),
    [
        ("AUTODUBBER_PORT", "9001", "port", 9001),
        ("AUTODUBBER_MAX_DURATION_S", "90.5", "max_duration_s", 90.5),
        ("AUTODUBBER_REVIEW", "false", "review", False),
        ("AUTODUBBER_REVIEW", "1", "review", True),
        ("AUTODUBBER_LOG_FORMAT", "console", "log_format", "console"),
        ("ELEVENLABS_API_KEY", "sk_1", "elevenlabs_key", "sk_1"),
        ("AUTODUBBER_DATA", "/srv/dub", "data", Path("/srv/dub")),
    ],
)
def test_a_variable_is_read_into_its_type(name: str, raw: str, field: str, value: object) -> None:
    assert getattr(load({name: raw}), field) == value


def test_an_empty_variable_means_the_default() -> None:
    assert load({"AUTODUBBER_PORT": ""}).port == 8000


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("AUTODUBBER_PORT", "0"),
        ("AUTODUBBER_PORT", "70000"),
        ("AUTODUBBER_PORT", "eighty"),
        ("AUTODUBBER_MAX_UPLOAD_BYTES", "-1"),
        ("AUTODUBBER_RENDER_AT_ONCE", "0"),
        ("AUTODUBBER_LOG_LEVEL", "loud"),
        ("AUTODUBBER_DEVICE", "tpu"),
        ("AUTODUBBER_REVIEW", "perhaps"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable_and_the_value(name: str, raw: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({name: raw})
    message = str(caught.value)
    assert message.startswith(f"{name}: ") and repr(raw) in message and "\n" not in message


def test_a_mistyped_name_is_told() -> None:
    with pytest.raises(SettingsError, match="AUTODUBBER_PROT is not a setting"):
        load({"AUTODUBBER_PROT": "8000"})


def test_other_programs_variables_are_left_alone() -> None:
    assert load({"PORT": "1", "ELEVENLABS_OTHER": "x"}).port == 8000


def test_a_secret_is_read_from_a_file_without_its_newline(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk_file\n")
    assert load({"ELEVENLABS_API_KEY_FILE": str(tmp_path / "key")}).elevenlabs_key == "sk_file"


def test_a_secret_given_twice_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk_file")
    with pytest.raises(SettingsError, match="both set") as caught:
        load({"ELEVENLABS_API_KEY_FILE": str(tmp_path / "key"), "ELEVENLABS_API_KEY": "sk_env"})
    assert "sk_" not in str(caught.value)


def test_a_missing_secret_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ELEVENLABS_API_KEY_FILE: cannot read .*/absent"):
        load({"ELEVENLABS_API_KEY_FILE": str(tmp_path / "absent")})


def test_only_secrets_have_a_file_form() -> None:
    with pytest.raises(SettingsError, match="AUTODUBBER_MODEL_FILE is not a setting"):
        load({"AUTODUBBER_MODEL_FILE": "/x"})


def test_everything_that_is_kept_lies_in_the_data_folder() -> None:
    settings = load({"AUTODUBBER_DATA": "/srv/dub"})
    assert settings.database_url == "sqlite:////srv/dub/app.sqlite3"
    for path in (settings.engine_path, settings.blobs, settings.uploads, settings.scratch, settings.models):
        assert path.parent == Path("/srv/dub")


def test_threads_zero_means_the_machines() -> None:
    assert load({"AUTODUBBER_THREADS": "3"}).thread_count == 3
    assert load({}).thread_count >= 1
