"""The API description: OpenAPI 3.1 as JSON, and an HTML page that needs no other server."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final, cast

import msgspec
from litestar import Litestar, MediaType, Request, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Server
from litestar.response import Response

from app.api.upload_headers import describe
from app.domain.catalogue import catalogue
from app.domain.dub_options import GROUP_OF, GROUPS, DubOptions
from app.domain.errors import DubError
from app.domain.problems.requests import NOT_FOUND

_FORM: Final = {
    "type": "object",
    "required": ["file"],
    "description": (
        "The options are form fields named GROUP.NAME (`voices.speed`), with the groups and names of `OptionsPatch`."
    ),
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "subtitles": {"type": "string", "format": "binary"},
        "stem": {"type": "string", "format": "binary"},
        "title": {"type": "string"},
    },
}
_REFERENCE: Final = re.compile(r"#/components/schemas/(\w+)")
_HEAD: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"
content="width=device-width">
<title>AutoDubber: the interface</title>
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem
auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.92em}details{border-bottom:1px solid #8884;padding:.4rem
0}summary{cursor:pointer}
dt{margin-top:.6rem;font-weight:600}:target{background:#fd05}</style>"""
_INTRO: Final = (
    '<p>OpenAPI 3.1: <a href="{address}">{address}</a>. Uploads speak <a href="https://tus.io">tus 1.0.0</a>.</p>'
)


def operation_id(handler: HTTPRouteHandler, method: str, _path: Any) -> str:
    """The handler's name in camel case, after the method when a handler has several."""
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
    for path in ("/api/subtitles/preview", "/api/glossaries"):
        described["paths"][path]["post"]["requestBody"] = {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    describe(described)
    _describe_options(described["components"]["schemas"])
    for schema in described["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            _of_one_kind(field)
    return described


def _describe_options(schemas: dict[str, Any]) -> None:
    """In answers every option is there; in requests the names outside of a group are deprecated."""
    kinds: list[type[msgspec.Struct]] = [DubOptions, *GROUPS.values()]
    for kind in kinds:
        schemas[kind.__name__]["required"] = [name for name in kind.__struct_fields__ if name != "later"]
    for name in GROUP_OF:
        schemas["OptionsPatch"]["properties"][name]["deprecated"] = True


def _of_one_kind(field: dict[str, Any]) -> None:
    """Correct the schema of a limited `tuple[X, ...]`: Litestar reads the dots as a second kind of item that may be
    anything."""
    kinds = field.get("items", {}).get("oneOf", [])
    if {} in kinds:
        (field["items"],) = [kind for kind in kinds if kind]


def document_json(app: Litestar) -> bytes:
    """The document as indented JSON with sorted keys, for comparing files."""
    return msgspec.json.format(msgspec.json.encode(document(app), order="deterministic"), indent=2) + b"\n"


def openapi_config(version: str, base_path: str) -> OpenAPIConfig:
    """Litestar's configuration: the document and the page, without scripts from other servers."""
    return OpenAPIConfig(
        "AutoDubber",
        version,
        servers=[Server(base_path or "/")],
        path="/schema",
        render_plugins=[_Json(), _Page()],
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, after_request=_found),
        use_handler_docstrings=True,
        operation_id_creator=operation_id,
    )


def _found(response: Response[Any]) -> Response[Any]:
    if response.status_code == 404:  # Litestar's own handler for other paths below /schema answers in HTML
        raise DubError(NOT_FOUND)
    return response


class _BundledPage(OpenAPIRenderPlugin):
    """Rendered with the first request, then cached."""

    def __init__(self, path: str, media_type: str) -> None:
        super().__init__(path=path, media_type=cast(MediaType, media_type))
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._rendered is None:
            self._rendered = self.made_from(document_json(request.app))
        return self._rendered

    def made_from(self, document: bytes) -> bytes:
        raise NotImplementedError


class _Json(_BundledPage):
    def __init__(self) -> None:
        super().__init__("/openapi.json", "application/vnd.oai.openapi+json")

    def made_from(self, document: bytes) -> bytes:
        return document


class _Page(_BundledPage):
    def __init__(self) -> None:
        super().__init__("/", "text/html")

    def made_from(self, document: bytes) -> bytes:
        return page_html(document)


def page_html(document: bytes) -> bytes:
    """The document and the error catalogue as one HTML page without scripts."""
    described = msgspec.json.decode(document)
    intro = _INTRO.format(address=escape(described["servers"][0]["url"].rstrip("/") + "/schema/openapi.json"))
    parts = [
        _HEAD,
        f"<h1>{escape(described['info']['title'])} {escape(described['info']['version'])}: the interface</h1>",
        intro,
    ]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(method, path, operation))
    parts.append(
        "<h2>Errors</h2><p>Every refusal is <code>application/problem+json</code> with one of these codes.</p><dl>"
    )
    for code, problem in sorted(catalogue().items()):
        parts.append(
            f'<dt id="{code}"><code>{code}</code> {problem.status}</dt><dd>{escape(problem.message)} '
            f"<em>{escape(problem.hint)}</em></dd>"
        )
    parts.append("</dl><h2>Types</h2>")
    for name, schema in sorted(described["components"]["schemas"].items()):
        body = escape(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())
        parts.append(f'<details id="type-{name}"><summary><code>{name}</code></summary><pre>{body}</pre></details>')
    return "\n".join([*parts, "</html>"]).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        (
            f"<li><code>{escape(p['name'])}</code> ({p['in']}{', needed' if p.get('required') else ''}) "
            f"{escape(p.get('description', ''))}</li>"
        )
        for p in operation.get("parameters", ())
    ]
    bodies = [_types(content) for content in operation.get("requestBody", {}).get("content", {}).values()]
    answers = [
        f"{status} {_types(next(iter(r.get('content', {}).values()), {}))}".strip()
        for status, r in sorted(operation["responses"].items())
    ]
    takes = f"<p>Takes {', '.join(filter(None, bodies))}</p>" if any(bodies) else ""
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
        f"{escape(operation.get('description', ''))}</summary>"
        f"{takes}<ul>{''.join(rows)}</ul><p>Answers {'; '.join(answers)}</p></details>"
    )


def _types(content: dict[str, Any]) -> str:
    """Links to the types that a body refers to."""
    names = dict.fromkeys(_REFERENCE.findall(msgspec.json.encode(content).decode()))
    return " | ".join(f'<a href="#type-{name}">{name}</a>' for name in names)
