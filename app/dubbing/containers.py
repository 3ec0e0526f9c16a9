"""Which container takes which picture and which sound. Light: the server asks before money is spent."""

from __future__ import annotations

from typing import Final

from app.domain.errors import CONTAINER_UNSUITABLE, DubError
from app.domain.job import AudioCodec, Container, DubOptions
from app.domain.media import MediaInfo

# What players expect inside MP4. VP8 cannot be put there at all; ProRes, DNxHD and raw pictures are safer in Matroska.
_MP4_VIDEO: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video"})
_WEBM_VIDEO: Final = frozenset({"vp8", "vp9", "av1"})  # https://www.webmproject.org/docs/container/
_MP4_AUDIO: Final = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "flac"})
_WEBM_AUDIO: Final = frozenset({"opus", "vorbis"})
_MKV_AUDIO: Final = _MP4_AUDIO | {"vorbis", "dts", "truehd", "mlp", "wavpack", "tta", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}

AUDIO: Final = {Container.MP4: _MP4_AUDIO, Container.MKV: _MKV_AUDIO, Container.WEBM: _WEBM_AUDIO}
MUXERS: Final = {Container.MP4: "mp4", Container.MKV: "matroska", Container.WEBM: "webm"}
BURNED_CODEC: Final = "h264"  # what drawing subtitles into the picture makes of it, whatever it was


def output_extension(info: MediaInfo, options: DubOptions) -> str:
    """The finished file's extension: "mp4", "mkv" or "webm"; of sound alone its format's ("m4a").

    Raises CONTAINER_UNSUITABLE when the chosen container cannot hold the picture.
    """
    if info.video is None:
        return str(options.audio_format)
    burned = options.burn_subtitles
    codec = BURNED_CODEC if burned else info.video.codec
    return str(choose(options.container, codec, is_opus=options.audio_codec == AudioCodec.OPUS, burned=burned))


def choose(container: Container, codec: str, *, is_opus: bool, burned: bool = False) -> Container:
    """The container itself, or for `auto` MP4 where it takes the picture and the dub is AAC, else MKV. `codec` is the picture's, by FFmpeg's name.

    Raises CONTAINER_UNSUITABLE.
    """
    if container == Container.AUTO:
        return Container.MP4 if codec in _MP4_VIDEO and not is_opus else Container.MKV
    takes = {Container.MP4: _MP4_VIDEO, Container.WEBM: _WEBM_VIDEO}.get(container)
    if takes is not None and codec not in takes:
        fitting = ["auto", *(["mp4"] if codec in _MP4_VIDEO else []), "mkv", *(["webm"] if codec in _WEBM_VIDEO else [])]
        picture = "Drawing the subtitles into it makes the picture H.264" if burned else f"The picture is {codec.upper()}"
        raise DubError(CONTAINER_UNSUITABLE, f"{picture}, which {_NAMES[container]} cannot hold; choose {', '.join(fitting[:-1])} or {fitting[-1]}.")
    return container


_NAMES: Final = {Container.MP4: "MP4", Container.MKV: "MKV", Container.WEBM: "WebM"}
