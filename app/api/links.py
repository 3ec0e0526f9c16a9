"""Routes of links: addresses of pages with a video, which the server downloads. A finished link is a finished upload,
of which `POST /api/jobs` makes a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.response import Response

from app.api.depends import Given
from app.api.downloads import INERT
from app.api.problems import refuses
from app.domain.errors import DubError
from app.domain.link import Link
from app.domain.problems.links import LINK_DOWNLOADER, LINK_FAILED
from app.links.packages import javascript_hint

if TYPE_CHECKING:
    from app.links.service import Links

RIGHTS: Final = (
    "Download only what you have the right to: your own videos, those whose licence allows it, and what the law of "
    "your country lets you. Sites' terms may forbid it."
)


class NewLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url` is the address of a page with one video, or of a video file."""

    url: Annotated[str, msgspec.Meta(max_length=8192)]


class ChosenCaption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `id` of one of a link's captions."""

    caption: Annotated[str, msgspec.Meta(max_length=255)]


class LinkList(msgspec.Struct, frozen=True):
    """`off`: this server takes no links. `rights` is for people to read before they paste an address."""

    off: bool
    rights: str
    links: tuple[Link, ...]


class DownloaderStatus(msgspec.Struct, frozen=True):
    """The downloader, yt-dlp. `javascript` is the runtime that some sites need, "" if there is none: `hint` says then
    what to do. `reason` says why it is not `available`."""

    available: bool
    reason: str
    version: str
    javascript: str
    hint: str


@get("/", sync_to_thread=False)
def list_links(links: Given[Links]) -> LinkList:
    """Every link, the newest first. `/ws` tells of changes."""
    return LinkList(links.off, RIGHTS, links.listed())


@post("/", responses=refuses(403, 422, 429, 507))
async def create_link(links: Given[Links], data: JSONBody[NewLink]) -> Link:
    """Download the video at an address. Returns at once; what is there, and what is wrong with it, the link tells
    later."""
    return await links.add(data.url)


@get("/downloader", responses=refuses())
async def downloader_status(links: Given[Links]) -> DownloaderStatus:
    """The downloader's version, and whether sites that need JavaScript can be read."""
    return await _status(links)


async def _status(links: Links) -> DownloaderStatus:
    try:
        found = await links.examine()
    except DubError as error:
        if error.problem not in (LINK_DOWNLOADER, LINK_FAILED):
            raise
        return DownloaderStatus(False, error.message, "", "", error.problem.hint)
    return DownloaderStatus(True, "", found.version, found.runtime, javascript_hint(found))


@post("/downloader/update", status_code=200, responses=refuses(403, 502))
async def update_downloader(links: Given[Links]) -> DownloaderStatus:
    """Fetch a newer yt-dlp from the package index; it is used from the next link on, if it starts here."""
    await links.update()
    return await _status(links)


@get("/{link_id:str}", sync_to_thread=False, responses=refuses(404))
def get_link(links: Given[Links], link_id: FromPath[str]) -> Link:
    """One link."""
    return links.get(link_id)


@delete("/{link_id:str}", responses=refuses(404))
async def delete_link(links: Given[Links], link_id: FromPath[str]) -> None:
    """Stop the download and delete what has come. A job that was made of it keeps its file."""
    await links.delete(link_id)


@post("/{link_id:str}/retry", status_code=200, responses=refuses(403, 404, 409))
async def retry_link(links: Given[Links], link_id: FromPath[str]) -> Link:
    """Try a failed link again; what has come is not downloaded twice."""
    return await links.again(link_id)


@post("/{link_id:str}/captions", status_code=200, responses=refuses(403, 404, 409, 502, 507))
async def choose_caption(links: Given[Links], link_id: FromPath[str], data: JSONBody[ChosenCaption]) -> Link:
    """Fetch captions of a finished link: `subtitles_upload_id` is then an upload for a job."""
    return await links.choose(link_id, data.caption)


@get("/{link_id:str}/thumbnail", sync_to_thread=True, media_type="image/jpeg", responses=refuses(404))
def link_thumbnail(links: Given[Links], link_id: FromPath[str]) -> Response[bytes]:
    """The picture that the page shows for the video."""
    data, media_type = links.thumbnail(link_id)
    return Response(data, media_type=media_type, headers={"Cache-Control": "private, max-age=3600", **INERT})


router = Router(
    "/api/links",
    tags=["links"],
    route_handlers=[
        list_links,
        create_link,
        downloader_status,
        update_downloader,
        get_link,
        delete_link,
        retry_link,
        choose_caption,
        link_thumbnail,
    ],
)
