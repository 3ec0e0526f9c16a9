"""Small real media files, made by ffmpeg when first asked for, and what tests measure on them."""

import atexit
import functools
import itertools
import shutil
import subprocess
import tempfile
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FOLDER = Path(tempfile.mkdtemp(prefix="autodubber-samples-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

DURATION_S = 4.0
_PICTURE = ["-f", "lavfi", "-i", f"testsrc=s=160x120:r=25:d={DURATION_S}"]
# A sweep with bursts of noise: it looks like itself only when nothing is shifted.
_SWEEP = r"0.3*sin(2*PI*(300+400*t)*t)+0.2*(random(0)-0.5)*lt(mod(t\,1)\,0.1)"
_SOUND = ["-f", "lavfi", "-i", f"aevalsrc={_SWEEP}|{_SWEEP}:d={DURATION_S}:s=48000"]
_H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "2"]
_AV = [*_PICTURE, *_SOUND, *_H264, "-c:a", "aac"]
_SECOND = ["-map", "1:v", "-map", "0:a", "-c", "copy"]


def _recipes() -> dict[str, list[str]]:
    def delayed(audio_s: float, video_s: float) -> list[str]:
        return ["-itsoffset", str(audio_s), "-i", "plain.mp4", "-itsoffset", str(video_s), "-i", "plain.mp4", *_SECOND]

    return {
        "plain.mp4": _AV,
        "fragmented.mp4": [*_AV, "-movflags", "frag_keyframe+empty_moov"],
        "front.mp4": [*_AV, "-movflags", "+faststart"],
        "plain.mkv": _AV,
        "pcm.mov": [*_PICTURE, *_SOUND, *_H264, "-ar", "44100", "-c:a", "pcm_s16le"],
        "plain.webm": [*_PICTURE, *_SOUND, "-c:v", "libvpx", "-c:a", "libopus"],
        "vp9.webm": [
            *_PICTURE,
            *_SOUND,
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-c:a",
            "libopus",
        ],
        "plain.avi": [*_PICTURE, *_SOUND, "-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"],
        "h264.avi": [*_PICTURE, *_SOUND, *_H264, "-c:a", "libmp3lame"],
        "offset.ts": [*_AV, "-output_ts_offset", "1234"],
        "vfr.mp4": [
            *_PICTURE,
            *_SOUND,
            "-vf",
            r"select='not(mod(n\,3))*lt(n\,50)+gte(n\,50)'",
            "-fps_mode",
            "vfr",
            *_H264,
            "-c:a",
            "aac",
        ],
        "turned.mp4": ["-display_rotation", "90", "-i", "plain.mp4", "-c", "copy"],
        "late_sound.mp4": delayed(1.5, 0),
        "late_sound.mkv": delayed(1.5, 0),
        "late_sound.ts": delayed(1.5, 0),
        "late_picture.mp4": delayed(0, 0.7),
        "late_picture.ts": delayed(0, 0.7),
        "hole.mkv": ["-i", "plain.mp4", "-c", "copy", "-bsf:a", r"noise=drop=between(n\,100\,140)"],
        "small_hole.mkv": ["-i", "plain.mp4", "-c", "copy", "-bsf:a", r"noise=drop=between(n\,100\,101)"],
        "silent.mp4": [*_PICTURE, *_H264],
        "two_languages.mkv": [
            *_PICTURE,
            *_SOUND,
            "-f",
            "lavfi",
            "-i",
            f"sine=d={DURATION_S}",
            "-map",
            "0",
            "-map",
            "1",
            "-map",
            "2",
            *_H264,
            "-c:a",
            "aac",
            "-metadata:s:a:0",
            "language=eng",
            "-metadata:s:a:1",
            "language=fra",
            "-metadata:s:a:1",
            "title=Commentary",
            "-metadata",
            "title=A film",
        ],
        "covered.mp3": [
            "-i",
            "plain.mp3",
            "-i",
            "cover.png",
            "-map",
            "0",
            "-map",
            "1",
            "-c",
            "copy",
            "-disposition:v",
            "attached_pic",
        ],
        "covered.mp4": [
            "-i",
            "cover.png",
            "-i",
            "plain.mp4",
            "-map",
            "0",
            "-map",
            "1",
            "-c",
            "copy",
            "-disposition:v:0",
            "attached_pic",
        ],
        "timecode.mov": [*_AV, "-timecode", "01:00:00:00"],
        "cover.png": [*_PICTURE, "-frames:v", "1"],
        "six.wav": [*_SOUND, "-ac", "6"],
        "mono.wav": [*_SOUND, "-ac", "1", "-ar", "22050"],
        "plain.mp3": _SOUND,
        "plain.flac": _SOUND,
        "plain.ogg": [*_SOUND, "-c:a", "libvorbis"],
        "hevc.mkv": [
            *_PICTURE,
            *_SOUND,
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            "log-level=error",
            "-c:a",
            "libvorbis",
        ],
        "plain.wmv": [*_PICTURE, *_SOUND, "-c:v", "wmv2", "-c:a", "wmav2"],
        "plain.flv": [*_PICTURE, *_SOUND, "-c:v", "flv", "-ar", "44100", "-c:a", "libmp3lame"],
        "plain.mpg": [*_PICTURE, *_SOUND, "-c:v", "mpeg2video", "-c:a", "mp2"],
        "plain.mov": [*_AV, "-f", "mov"],
        "plain.mxf": [*_PICTURE, *_SOUND, "-c:v", "mpeg2video", "-c:a", "pcm_s24le"],
        "plain.dv": [
            *_PICTURE,
            *_SOUND,
            "-s",
            "720x576",
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "dvvideo",
            "-c:a",
            "pcm_s16le",
        ],
        "short.dv": ["-i", "plain.dv", "-t", "0.4", "-c", "copy"],
        "atom.mxf": [*_SOUND, "-ac", "1", "-c:a", "pcm_s24le", "-f", "mxf_opatom"],
        "plain.ts": _AV,
        "plain.3gp": [
            *_PICTURE,
            *_SOUND,
            "-s",
            "176x144",
            "-c:v",
            "h263",
            "-c:a",
            "libopencore_amrnb",
            "-ar",
            "8000",
            "-ac",
            "1",
        ],
        "h264.flv": [*_PICTURE, *_SOUND, *_H264, "-c:a", "aac"],
        "h264.mpg": [*_PICTURE, *_SOUND, *_H264, "-c:a", "ac3", "-f", "vob"],
        "theora.ogv": [*_PICTURE, *_SOUND, "-c:v", "libtheora", "-c:a", "libvorbis"],
        "av1.mp4": [
            *_PICTURE,
            *_SOUND,
            "-c:v",
            "libsvtav1",
            "-preset",
            "12",
            "-svtav1-params",
            "lp=1",
            "-c:a",
            "libopus",
        ],
        "ac3.mkv": [*_PICTURE, *_SOUND, *_H264, "-c:a", "eac3"],
        "prores.mov": [*_PICTURE, *_SOUND, "-c:v", "prores", "-c:a", "alac"],
        "plain.wav": _SOUND,
        "plain.m4a": [*_SOUND, "-c:a", "aac"],
        "plain.opus": [*_SOUND, "-c:a", "libopus"],
        "plain.aac": [*_SOUND, "-c:a", "aac"],
        "plain.wma": [*_SOUND, "-c:a", "wmav2"],
        "plain.aiff": _SOUND,
        "plain.au": _SOUND,
        "plain.caf": [*_SOUND, "-c:a", "alac"],
        "plain.w64": _SOUND,
        "plain.amr": [*_SOUND, "-c:a", "libopencore_amrnb", "-ar", "8000", "-ac", "1"],
        "plain.ac3": _SOUND,
        "plain.wv": _SOUND,
        "plain.tta": _SOUND,
        "plain.mka": [*_SOUND, "-c:a", "flac"],
        "magicyuv.mkv": [*_PICTURE, *_SOUND, "-c:v", "magicyuv", "-c:a", "flac"],
    }


@functools.cache
def sample(name: str) -> Path:
    """The path of one of the files above."""
    recipe = _recipes()[name]
    for option, word in itertools.pairwise(recipe):
        if option == "-i" and "=" not in word:
            sample(word)
    return make(FOLDER / name, *recipe)


def make(out: Path, *arguments: str) -> Path:
    """Run ffmpeg among the samples; the last argument is the output."""
    same = ["-fflags", "+bitexact", "-threads", "1"]  # the same bytes on every machine: damage is done at fixed places
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments, *same, str(out)], check=True, cwd=FOLDER)
    return out


def track_of(sound: np.ndarray, out: Path) -> Path:
    """Stereo float32 at 48 kHz as an AAC track in an m4a, as the mix stage leaves it."""
    command = [
        FFMPEG,
        "-v",
        "error",
        "-y",
        "-f",
        "f32le",
        "-ar",
        "48000",
        "-ac",
        "2",
        "-i",
        "-",
        "-c:a",
        "aac",
        "-b:a",
        "160k",
        str(out),
    ]
    subprocess.run(command, input=sound.astype("<f4").tobytes(), check=True)
    return out


def lag_ms(reference: np.ndarray, sound: np.ndarray) -> float:
    """How much later `sound` is than `reference`, both 48 kHz, by cross-correlation."""
    n = 1 << (len(reference) + len(sound)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(reference, n).conj() * np.fft.rfft(sound, n))
    at = int(correlation.argmax())
    return (at - n if at > n // 2 else at) / 48


def picture_times(path: Path) -> np.ndarray:
    """When each picture is shown, in seconds from the container's start."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        start_s = (container.start_time or 0) / 1e6
        times = [
            float(p.pts * p.time_base) - start_s
            for p in container.demux(stream)
            if p.pts is not None and not p.is_discard
        ]
    return np.array(sorted(times))
