"""What is wrong with a link: the address of a page with a video."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

LINKS_OFF: Final = Problem(
    "links_off", 403, "This server takes no links.", "Upload the file, or ask the operator: AUTODUBBER_LINKS is off."
)
LINK_ADDRESS: Final = Problem(
    "link_address",
    422,
    "This is not the address of a video page.",
    "Paste the whole address from the browser: it begins with https:// or http://.",
)
LINK_PRIVATE: Final = Problem(
    "link_private",
    422,
    "The address leads into a private network.",
    "Upload the file. The operator may allow networks with AUTODUBBER_LINKS_PRIVATE.",
)
LINK_PLAYLIST: Final = Problem(
    "link_playlist", 422, "The address is that of a list of videos.", "Paste the address of one video."
)
LINK_LIVE: Final = Problem(
    "link_live", 422, "The video is being broadcast or has not begun.", "Come back when its recording is there."
)
LINK_TOO_LONG: Final = Problem(
    "link_too_long",
    422,
    "The video is longer than this server accepts.",
    "Choose a shorter video, or raise AUTODUBBER_MAX_DURATION_S.",
)
LINK_TOO_LARGE: Final = Problem(
    "link_too_large",
    413,
    "The video is larger than this server accepts.",
    "Choose a smaller video, or raise AUTODUBBER_MAX_UPLOAD_BYTES.",
)
LINK_JAVASCRIPT: Final = Problem(
    "link_javascript",
    503,
    "The site's videos can only be read with a JavaScript runtime, and this server has none.",
    "Install deno (or a recent Node.js, Bun or QuickJS) where the server's PATH finds it.",
)
LINK_SIGN_IN: Final = Problem(
    "link_sign_in",
    403,
    "The site gives this video only to people who are signed in.",
    "Upload the file, or give the server cookies: AUTODUBBER_LINKS_COOKIES.",
)
LINK_SITE: Final = Problem(
    "link_site", 422, "No video was found at this address.", "Check the address, or download the video and upload it."
)
LINK_FAILED: Final = Problem(
    "link_failed",
    502,
    "The video could not be downloaded.",
    "Try again. Sites change often: `autodubber links update` fetches a newer yt-dlp.",
)
LINK_DOWNLOADER: Final = Problem(
    "link_downloader",
    503,
    "The downloader, yt-dlp, is not installed or does not start.",
    "Install it with `pip install yt-dlp`, or run `autodubber links update`.",
)
LINK_UPDATE: Final = Problem(
    "link_update",
    502,
    "The downloader could not be updated; the one that was there is used.",
    "Check the network, and AUTODUBBER_LINKS_INDEX.",
)
LINK_NOT_FOUND: Final = Problem(
    "link_not_found", 404, "This link does not exist or has expired.", "Paste the address again."
)
LINK_CAPTION: Final = Problem(
    "link_caption", 404, "The page does not offer these captions.", "Choose captions that the link lists."
)
LINK_STATE: Final = Problem("link_state", 409, "The link's state does not allow this.", "Wait until it is finished.")
TOO_MANY_LINKS: Final = Problem(
    "too_many_links", 429, "Too many links are open.", "Make jobs of the finished ones, or remove some."
)
