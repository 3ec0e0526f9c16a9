"""The description of the interface: OpenAPI 3.1 as JSON, and a page about it that needs no other server."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

_FORM: Final = {
    "type": "object",
    "required": ["file"],
    "description": "The options are fields of `OptionsPatch`, each as a form field.",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "subtitles": {"type": "string", "format": "binary"},
        "title": {"type": "string"},
    },
}


def operation_id(handler: HTTPRouteHandler, method: str, _path: Any) -> str:
    """The handler's name in camel case; with the method in front where a handler has several."""
    first, *rest = handler.handler_name.split("_")
    name = first + "".join(word.title() for word in rest)
    return name if len(handler.http_methods) == 1 else method.lower() + name[0].upper() + name[1:]


def document(app: Litestar) -> dict[str, Any]:
    """The OpenAPI 3.1 document as plain JSON values, the same at every call."""
    described: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(app.openapi_schema.to_schema(), enc_hook=str))
    create = described["paths"]["/api/jobs"]["post"]["requestBody"]
    create["content"]["multipart/form-data"] = {"schema": _FORM}
    for operations in described["paths"].values():
        if "101" in operations.get("get", {}).get("responses", {}):
            del operations["get"]["responses"]["200"]
    return described


def document_json(app: Litestar) -> bytes:
    """The same as indented JSON with sorted keys, for a file that is compared."""
    return msgspec.json.format(msgspec.json.encode(document(app), order="deterministic"), indent=2) + b"\n"
