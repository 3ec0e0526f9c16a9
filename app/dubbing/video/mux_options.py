"""FFmpeg's options for the tracks of a mux."""

from __future__ import annotations

from typing import Final

from app.domain.dub_options import Container
from app.domain.media import Obstacle
from app.dubbing.video import containers
from app.dubbing.video.mux_request import MuxRequest
from app.media import ffmpeg
from app.media.track_languages import track_language

# One damaged packet may claim to be shown hours after it is decoded, which MP4 cannot say.
_SANE_TIMES: Final = r"setts=pts=if(lt(abs(PTS-DTS)*TB\,10)\,PTS\,DTS)"
# What both encoders take; the nearest of them is made of others, such as 5.1 with its speakers at the sides.
_LAYOUTS: Final = "7.1|5.1|5.0|quad|3.0|stereo|mono"


def container_of(request: MuxRequest) -> Container:
    """What the output is."""
    suffix = request.out.suffix.lower().lstrip(".")
    return Container.MP4 if suffix == "m4a" else Container(suffix)


def is_fragile(request: MuxRequest) -> bool:
    """Whether the original sound has broken packets, as a recorded broadcast has: a decoder steps over them, repacking
    AAC for MP4 would give up."""
    return request.original is not None and request.info.format.startswith("mpegts") and request.original.codec == "aac"


def picture(request: MuxRequest, container: Container, burned: int) -> list[str]:
    """The picture, of the source or of the input with this number."""
    video = request.info.video
    if video is None:
        return []
    options = ["-map", f"{burned}:v:0" if burned else f"0:{video.index}", "-disposition:v:0", "default"]
    if not burned:
        if request.info.format.startswith("mpegts"):
            options += ["-bsf:v:0", _SANE_TIMES]
        elif video.obstacle in (Obstacle.PARAMETERS, Obstacle.SIZES) and video.codec in containers.IN_BAND:
            options += ["-bsf:v:0", containers.IN_BAND[video.codec]]
        elif video.codec == "mpeg4":
            options += ["-bsf:v:0", "mpeg4_unpack_bframes"]  # DivX in AVI packs two frames into one packet
        if video.codec == "hevc" and container == Container.MP4:
            options += ["-tag:v:0", "hvc1"]  # QuickTime and Safari play no other
    # Matroska would make a second film of a cover
    if container == Container.MP4 and request.info.format.startswith("mov"):
        options += ["-map", "0:disp:attached_pic?"]
    return options


def sound(container: Container, number: int, codec: str) -> list[str]:
    """Stream copy where the container takes the codec, else AAC (Opus in WebM). A codec of "" is always encoded."""
    if codec in containers.AUDIO[container]:
        return []
    encoder = ["libopus", "-ar:a:{n}", "48000"] if container == Container.WEBM else ["aac"]
    filters = f"aresample=async=1,aformat=channel_layouts={_LAYOUTS}"
    options = ["-c:a:{n}", *encoder, "-b:a:{n}", "192k", "-filter:a:{n}", filters]
    return [option.format(n=number) for option in options]


def label(stream: str, language: str | None, title: str, disposition: str) -> list[str]:
    """Matroska has titles; MP4 has names of handlers, and players show those."""
    words = (("language", track_language(language)), ("title", title), ("handler_name", title))
    return [option for key, value in words for option in ffmpeg.metadata(f"s:{stream}", key, value)] + [
        f"-disposition:{stream}",
        disposition,
    ]
