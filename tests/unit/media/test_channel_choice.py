"""What recognition hears of the channels: the voice, wherever it is, and no click."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from app.media.channel_choice import Listener
from app.media.decode import audio_blocks
from tests.unit.media.samples import FFMPEG

RATE = 48_000
_random = np.random.default_rng(8)


def voice(seconds: float = 4.0) -> np.ndarray:
    """Bursts of noise around a tone: something to recognise by its shape."""
    at = np.arange(round(seconds * RATE)) / RATE
    return (
        0.3 * np.sin(2 * np.pi * 300 * at) * (np.sin(2 * np.pi * 1.5 * at) > 0)
        + 0.02 * _random.standard_normal(len(at))
    ).astype(np.float32)


def music(seconds: float = 4.0, level: float = 0.2) -> np.ndarray:
    return (level * _random.standard_normal(round(seconds * RATE))).astype(np.float32)


def listened(
    channels: np.ndarray, names: tuple[str, ...] = (), native: np.ndarray | None = None, block_n: int = RATE
) -> np.ndarray:
    listener = Listener()
    spans = range(0, len(channels), block_n)
    return np.concatenate(
        [
            listener.hear(channels[at : at + block_n], None if native is None else native[at : at + block_n], names)
            for at in spans
        ]
    )


def likeness(heard: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.corrcoef(heard, wanted)[0, 1])


def test_usual_stereo_is_the_mean_as_ever() -> None:
    left, right = voice() + music(), voice() + music()
    assert np.array_equal(listened(np.column_stack([left, right])), (left + right) * np.float32(0.5))


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
def test_a_voice_out_of_phase_is_heard(noise: float) -> None:
    said = voice()
    heard = listened(np.column_stack([said + music(level=noise), -said + music(level=noise)]))
    assert abs(likeness(heard, said)) > 0.8
    assert np.sqrt(np.mean(heard**2)) > 0.9 * np.sqrt(np.mean(said**2)), "at its full level"


@pytest.mark.parametrize("side", [0, 1])
def test_of_a_one_sided_sound_the_side_is_heard_at_its_full_level(side: int) -> None:
    said = voice()
    both = np.zeros((len(said), 2), np.float32)
    both[:, side] = said
    assert np.allclose(listened(both), said, atol=1e-6)


def test_two_microphones_that_take_turns_are_both_heard() -> None:
    first, second, rest = voice(3), voice(3), np.zeros(3 * RATE, np.float32)
    left, right = np.concatenate([first, rest, first]), np.concatenate([rest, second * np.float32(0.2), rest])
    heard = listened(np.column_stack([left, right]))
    for part, said in enumerate((first, second, first)):
        assert likeness(heard[part * 3 * RATE : (part + 1) * 3 * RATE], said) > 0.99


def test_a_part_out_of_phase_in_a_usual_film_is_heard_without_a_click() -> None:
    at = np.arange(12 * RATE) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 200 * at)).astype(np.float32)
    sign = np.where((at >= 4) & (at < 8), -1, 1).astype(np.float32)
    heard = listened(np.column_stack([tone, tone * sign]))
    assert np.abs(np.diff(heard)).max() < 1.2 * np.abs(np.diff(tone)).max()
    assert np.sqrt(np.mean(heard[5 * RATE : 7 * RATE] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)


def test_the_dialogue_of_a_surround_film_is_heard_from_its_centre() -> None:
    said, names = voice(), ("FL", "FR", "FC", "LFE", "BL", "BR")
    native = np.column_stack([music(), music(), said, music(level=0.8), music(), music()])
    folded = np.column_stack([native[:, 0] + 0.7 * native[:, 2], native[:, 1] + 0.7 * native[:, 2]])
    assert likeness(listened(folded, names, native), said) > 0.999


def test_a_surround_film_without_anything_in_its_centre_is_heard_from_both_sides() -> None:
    said, names, nothing = voice(), ("FL", "FR", "FC", "LFE", "BL", "BR"), np.zeros(4 * RATE, np.float32)
    native = np.column_stack([said, said, nothing, nothing, nothing, nothing])
    assert likeness(listened(native[:, :2], names, native), said) > 0.999


def test_the_one_sounding_channel_of_many_is_heard() -> None:
    """Eight lines of a recorder, and the first two have nothing."""
    native = np.zeros((4 * RATE, 8), np.float32)
    native[:, 5] = said = voice()
    assert np.allclose(listened(native[:, :2], (), native), said)


def test_the_size_of_the_blocks_changes_little() -> None:
    said = voice()
    both = np.column_stack([said, -said])
    assert np.array_equal(listened(both), listened(both, block_n=RATE // 4))


def test_what_is_silent_is_silence_and_changes_no_mind() -> None:
    said, nothing = voice(2), np.zeros(2 * RATE, np.float32)
    heard = listened(
        np.column_stack(
            [np.concatenate([nothing, said, nothing, said]), np.concatenate([nothing, -said, nothing, -said])]
        )
    )
    assert not heard[: 2 * RATE].any() and not heard[4 * RATE + 2_400 : 6 * RATE].any()
    assert likeness(heard[6 * RATE :], said) > 0.99


def written(path: Path, channels: np.ndarray, layout: str, *coded: str) -> Path:
    command = [
        FFMPEG,
        "-v",
        "error",
        "-y",
        "-f",
        "f32le",
        "-ar",
        str(RATE),
        "-ac",
        str(channels.shape[1]),
        "-channel_layout",
        layout,
        "-i",
        "-",
    ]
    subprocess.run([*command, *coded, str(path)], input=channels.astype("<f4").tobytes(), check=True)
    return path


def column(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(stereo as it is mixed, what is heard)."""
    both = np.concatenate(list(audio_blocks(path, 0, listener=Listener())))
    assert both.shape[1] == 3
    return both[:, :2], both[:, 2]


@pytest.mark.parametrize(("layout", "centre", "count"), [("5.1", 2, 6), ("7.1", 2, 8), ("5.0", 2, 5), ("3.0", 2, 3)])
def test_a_file_with_surround_sound_is_heard_from_its_centre_and_mixed_as_before(
    tmp_path: Path, layout: str, centre: int, count: int
) -> None:
    said = voice()
    channels = np.column_stack([said if at == centre else music() for at in range(count)])
    path = written(tmp_path / "film.wav", channels, layout, "-c:a", "pcm_f32le")
    stereo, heard = column(path)
    assert likeness(heard, said) > 0.999
    assert np.array_equal(stereo, np.concatenate(list(audio_blocks(path, 0))))


@pytest.mark.parametrize("count", [4, 7, 12])
def test_a_file_of_channels_without_names_is_heard(tmp_path: Path, count: int) -> None:
    channels = np.zeros((4 * RATE, count), np.float32)
    channels[:, count - 1] = said = voice()
    path = tmp_path / "lines.wav"
    command = [
        FFMPEG,
        "-v",
        "error",
        "-y",
        "-f",
        "f32le",
        "-ar",
        str(RATE),
        "-ac",
        str(count),
        "-i",
        "-",
        "-c:a",
        "pcm_f32le",
        str(path),
    ]
    subprocess.run(command, input=channels.astype("<f4").tobytes(), check=True)
    assert abs(likeness(column(path)[1], said)) > 0.99


def test_a_number_that_is_none_does_not_deafen(tmp_path: Path) -> None:
    said = voice()
    both = np.column_stack([said, -said])
    both[RATE : RATE + 50] = np.nan
    heard = column(written(tmp_path / "odd.wav", both, "stereo", "-c:a", "pcm_f32le"))[1]
    assert np.isfinite(heard).all() and abs(likeness(heard[2 * RATE :], said[2 * RATE :])) > 0.99
