"""A sought window is the same samples as one that was read from the file's beginning on."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.domain.errors import DubError
from app.domain.problems.media import AUDIO_TRACK_MISSING
from app.media import sound_reader
from app.media.decode import SAMPLE_RATE_HZ, audio_blocks
from app.media.sound_reader import SoundReader, Spans
from tests.unit.dubbing.sounds import noise, tone, write_wav
from tests.unit.media.samples import FOLDER, lag_ms, make

LENGTH_S = 24
PICTURE = [
    "-f",
    "lavfi",
    "-i",
    f"testsrc=s=64x48:r=25:d={LENGTH_S}",
    "-map",
    "0:a",
    "-map",
    "1:v",
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
]
AAC = ["-c:a", "aac", "-aac_pns", "0"]  # else the decoder makes noise of its own
VBR = ["-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0"]
FILES = {
    "aac.mp4": [*PICTURE, *AAC],
    "aac44.mp4": [*AAC, "-ar", "44100"],
    "aac.mkv": [*PICTURE, *AAC],
    "aac.ts": [*PICTURE, *AAC],
    "aac.flv": [*PICTURE, *AAC],
    "aac.aac": AAC,
    "fragmented.mp4": [*PICTURE, *AAC, "-movflags", "frag_keyframe+empty_moov"],
    "vbr.mp3": VBR,
    "vbr44.mp3": [*VBR, "-ar", "44100"],
    "mp3.avi": [*PICTURE, "-c:a", "libmp3lame"],
    "opus.webm": ["-c:a", "libopus"],
    "opus.ogg": ["-c:a", "libopus"],
    "vorbis.ogg": ["-c:a", "libvorbis"],
    "flac.flac": [],
    "flac44.mka": ["-c:a", "flac", "-ar", "44100"],
    "pcm.wav": [],
    "pcm.mov": [*PICTURE, "-c:a", "pcm_s24le"],
}
MAKES_UP_NOISE = {
    "noise.mp4": ["-c:a", "aac", "-b:a", "64k"],
    "noise.aac": ["-c:a", "aac", "-b:a", "64k"],
    "ac3.mkv": ["-c:a", "ac3", "-b:a", "96k"],
    "six.mkv": ["-ac", "6", "-c:a", "ac3"],
    "wma.wma": [],
}
IN_THE_WAY = {
    "hole.mkv": ["-c:a", "aac", "-bsf:a", r"noise=drop=between(n\,700\,760)"],
    "small_hole.mkv": ["-c:a", "aac", "-bsf:a", r"noise=drop=eq(n\,700)"],
    "late.mp4": ["-af", "adelay=9s:all=1", "-c:a", "aac"],
    "offset.ts": ["-c:a", "aac", "-output_ts_offset", "95440"],
    "no_whole_sample.wav": ["-ar", "22050"],
}


@functools.cache
def sound() -> Path:
    """Speech-like noise and a tone; four seconds in the middle are digital silence, where every packet is like the
    next."""
    swell = np.repeat(np.abs(noise(LENGTH_S, 10, seed=3)), SAMPLE_RATE_HZ // 10)[:, None]
    both = (
        np.stack([noise(LENGTH_S, seed=1), 0.6 * noise(LENGTH_S, seed=2)], axis=1) * swell * 3
        + tone(LENGTH_S, 700)[:, None]
    )
    both[8 * SAMPLE_RATE_HZ : 12 * SAMPLE_RATE_HZ] = 0
    return write_wav(FOLDER / "reader.wav", np.clip(both, -1, 1).astype(np.float32))


@functools.cache
def film(name: str) -> Path:
    return make(FOLDER / f"reader-{name}", "-i", str(sound()), *(FILES | MAKES_UP_NOISE | IN_THE_WAY)[name])


def spans() -> Spans:
    return Spans(6 * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)


def rest(reader: SoundReader) -> np.ndarray:
    blocks = []
    while (block := reader.read()) is not None:
        blocks.append(block)
    reader.close()
    return np.concatenate(blocks)


def sought(path: Path, known: Spans, at_n: int) -> tuple[int, np.ndarray, int]:
    """From where on, what was read to the end, and how often the file was opened."""
    reader = SoundReader(path, 0, msgspec.convert(msgspec.to_builtins(known), Spans))
    reader.go_to(at_n)
    return reader.position_n, rest(reader), reader.opened


@pytest.mark.parametrize("name", [*FILES, *MAKES_UP_NOISE, *IN_THE_WAY])
def test_a_sought_window_is_the_same_samples_as_a_decoded_one(name: str) -> None:
    known = spans()
    decoded = rest(SoundReader(film(name), 0, known))
    assert sum(start is not None for start in known.starts) >= 3
    for at_s in (7.5, 14.0, 22.9):
        from_n, heard, opened = sought(film(name), known, round(at_s * SAMPLE_RATE_HZ))
        assert at_s - 12 < from_n / SAMPLE_RATE_HZ <= at_s
        assert opened == 1  # it was found by seeking
        np.testing.assert_array_equal(heard, decoded[from_n:])
    assert sought(film(name), known, 20 * SAMPLE_RATE_HZ)[0] >= 11 * SAMPLE_RATE_HZ  # and not from the beginning


@pytest.mark.parametrize("name", FILES)
def test_a_new_decoder_in_the_middle_is_not_heard(name: str) -> None:
    once = np.concatenate(list(audio_blocks(film(name), 0)))
    spanned = rest(SoundReader(film(name), 0, spans()))
    assert spanned.shape == once.shape
    assert np.abs(spanned - once).max() < 1e-4


@pytest.mark.parametrize("name", [*MAKES_UP_NOISE, *IN_THE_WAY])
def test_where_decoders_make_up_noise_the_sound_is_at_its_place_and_level(name: str) -> None:
    once = np.concatenate(list(audio_blocks(film(name), 0)))
    spanned = rest(SoundReader(film(name), 0, spans()))
    # timestamps may be of whole milliseconds, and a hole is as long as they say
    assert abs(len(spanned) - len(once)) < 48
    for from_s in (0, 4, 13, 18):
        before, after = (
            sound[from_s * SAMPLE_RATE_HZ : (from_s + 6) * SAMPLE_RATE_HZ, 0].astype(np.float64)
            for sound in (once, spanned)
        )
        assert abs(lag_ms(before, after)) < 1 or not before.any()
        assert (after**2).mean() == pytest.approx((before**2).mean(), rel=0.02)


def test_a_reading_that_was_cut_short_leaves_what_the_next_one_needs() -> None:
    path, known = film("aac44.mp4"), spans()
    decoded = rest(SoundReader(path, 0, spans()))
    reader = SoundReader(path, 0, known)
    while reader.position_n < 15 * SAMPLE_RATE_HZ:
        reader.read()
    reader.close()
    from_n, heard, _ = sought(path, known, 23 * SAMPLE_RATE_HZ)
    assert from_n == 11 * SAMPLE_RATE_HZ
    np.testing.assert_array_equal(heard, decoded[from_n:])


# read in windows, whose packets have no position in the file, and as a whole
@pytest.mark.parametrize(
    ("name", "wrong"),
    [("aac.mp4", "check"), ("aac.mp4", "pts"), *(("fragmented.mp4", wrong) for wrong in ("check", "position", "pts"))],
)
def test_a_packet_that_is_not_the_one_is_not_taken_for_it(name: str, wrong: str) -> None:
    """The file is then read from its beginning."""
    path, known = film(name), spans()
    decoded = rest(SoundReader(path, 0, known))
    for span, start in enumerate(known.starts):
        if start is not None:
            first = msgspec.structs.replace(start.first, **{wrong: getattr(start.first, wrong) + 1, "sole": False})
            known.starts[span] = msgspec.structs.replace(start, first=first)
    from_n, heard, opened = sought(path, known, 20 * SAMPLE_RATE_HZ)
    assert opened == 2
    np.testing.assert_array_equal(heard, decoded[from_n:])


def test_only_what_is_asked_for_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    known = spans()
    rest(SoundReader(film("vbr.mp3"), 0, known))
    decoded_n = 0

    class Counting(sound_reader.Trail):
        def __setattr__(self, name: str, value: object) -> None:
            nonlocal decoded_n
            decoded_n += name == "packet"
            super().__setattr__(name, value)

    monkeypatch.setattr(sound_reader, "Trail", Counting)
    reader = SoundReader(film("vbr.mp3"), 0, known)
    reader.go_to(23 * SAMPLE_RATE_HZ)
    reader.read()
    reader.close()
    assert decoded_n * 1152 < 7 * SAMPLE_RATE_HZ  # to a whole sample, the run-up, and a second or two


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DubError) as raised:
        SoundReader(film("aac.mp4"), 1, spans())
    assert raised.value.problem is AUDIO_TRACK_MISSING
    garbled = bytearray(film("vorbis.ogg").read_bytes())
    path = tmp_path / "garbled.ogg"
    path.write_bytes(garbled[: len(garbled) // 400])  # the headers, and hardly any sound
    with pytest.raises(DubError) as raised:
        rest(SoundReader(path, 0, spans()))
    assert raised.value.problem.status == 422
