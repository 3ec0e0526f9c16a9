"""Which container holds which picture and sound codecs. Imports little: the server checks it before money is spent."""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.dub_options import AudioCodec, Container, DubOptions
from app.domain.errors import DubError
from app.domain.media import MediaInfo, Obstacle, VideoStream
from app.domain.problems.media import CONTAINER_UNSUITABLE

# What players expect inside MP4. VP8 cannot be put there at all; ProRes, DNxHD and raw pictures are safer in Matroska.
_MP4_VIDEO: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video"})
_WEBM_VIDEO: Final = frozenset({"vp8", "vp9", "av1"})  # https://www.webmproject.org/docs/container/
_MP4_AUDIO: Final = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "flac"})
_WEBM_AUDIO: Final = frozenset({"opus", "vorbis"})
_MKV_AUDIO: Final = _MP4_AUDIO | {
    "vorbis",
    "dts",
    "truehd",
    "mlp",
    "wavpack",
    "tta",
    "pcm_s16le",
    "pcm_s24le",
    "pcm_s32le",
    "pcm_f32le",
}

AUDIO: Final = {Container.MP4: _MP4_AUDIO, Container.MKV: _MKV_AUDIO, Container.WEBM: _WEBM_AUDIO}
MUXERS: Final = {Container.MP4: "mp4", Container.MKV: "matroska", Container.WEBM: "webm"}
# New parameters of a decoder, where a container says them beside the stream, are put into it: MP4 and Matroska have a
# place for the first ones alone. and the bitstream filter of FFmpeg's that does so
IN_BAND: Final = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_ENCODED: Final = "It has to be encoded (burned subtitles, cuts, or a size that changes), which makes the picture H.264"
BURNED_CODEC: Final = "h264"  # what encoding makes of a picture, whatever it was


def measured(
    info: MediaInfo, duration_s: float, obstacle: Obstacle | None, largest: tuple[int, int] | None
) -> MediaInfo:
    """What the file is now that it has been read to its end."""
    video = info.video
    if video is not None:
        width, height = largest or (video.width, video.height)
        video = msgspec.structs.replace(video, obstacle=obstacle, width=width, height=height)
    return msgspec.structs.replace(info, duration_s=duration_s, video=video)


def must_encode(video: VideoStream, container: Container, *, is_opus: bool) -> bool:
    """Whether the picture cannot be copied so that the same is shown. Where it begins within a group of pictures only
    MP4 can say so; one that changes its size must be of a codec that can say so itself.

    Raises CONTAINER_UNSUITABLE.
    """
    if video.obstacle is Obstacle.START:
        return choose(container, video.codec, is_opus=is_opus) is not Container.MP4
    return video.obstacle is Obstacle.EDITS or (video.obstacle is Obstacle.SIZES and video.codec not in IN_BAND)


def output_extension(info: MediaInfo, options: DubOptions) -> str:
    """The finished file's extension: "mp4", "mkv" or "webm"; of sound alone its format's ("m4a").

    Raises CONTAINER_UNSUITABLE when the chosen container cannot hold the picture.
    """
    if info.video is None:
        return str(options.output.audio_format)
    is_opus = options.output.audio_codec == AudioCodec.OPUS
    encoded = options.output.burn_subtitles or must_encode(info.video, options.output.container, is_opus=is_opus)
    return str(
        choose(
            options.output.container, BURNED_CODEC if encoded else info.video.codec, is_opus=is_opus, encoded=encoded
        )
    )


def choose(container: Container, codec: str, *, is_opus: bool, encoded: bool = False) -> Container:
    """The container itself, or for `auto` MP4 where it takes the picture and the dub is AAC, else MKV. `codec` is the
    picture's, by FFmpeg's name.

    Raises CONTAINER_UNSUITABLE.
    """
    if container == Container.AUTO:
        return Container.MP4 if codec in _MP4_VIDEO and not is_opus else Container.MKV
    takes = {Container.MP4: _MP4_VIDEO, Container.WEBM: _WEBM_VIDEO}.get(container)
    if takes is not None and codec not in takes:
        fitting = [
            "auto",
            *(["mp4"] if codec in _MP4_VIDEO else []),
            "mkv",
            *(["webm"] if codec in _WEBM_VIDEO else []),
        ]
        picture = _ENCODED if encoded else f"The picture is {codec.upper()}"
        raise DubError(
            CONTAINER_UNSUITABLE,
            f"{picture}, which {_NAMES[container]} cannot hold; choose {', '.join(fitting[:-1])} or {fitting[-1]}.",
        )
    return container


_NAMES: Final = {Container.MP4: "MP4", Container.MKV: "MKV", Container.WEBM: "WebM"}
