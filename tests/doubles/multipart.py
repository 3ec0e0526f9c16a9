"""Reads a form with files, as a server does."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.doubles.http import Request


class Form(NamedTuple):
    """The fields in their order, and the files: name of the field, name of the file, bytes."""

    fields: list[tuple[str, str]]
    files: list[tuple[str, str, bytes]]

    @property
    def file(self) -> bytes | None:
        return self.files[0][2] if self.files else None


def form_of(request: Request) -> Form:
    found = re.search(r'multipart/form-data; boundary="?([^";]+)', request.headers.get("content-type", ""))
    form = Form([], [])
    if found is None:
        return form
    for part in request.body.split(b"--" + found[1].encode())[1:-1]:
        head, _, body = part.strip(b"\r\n").partition(b"\r\n\r\n") if part.count(b"\r\n\r\n") else (part, b"", b"")
        _, _, body = part[2:].partition(b"\r\n\r\n")
        body = body.removesuffix(b"\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        file = re.search(rb'filename="([^"]*)"', head)
        if name is None:
            continue
        if file is not None:
            form.files.append((name[1].decode(), file[1].decode(), body))
            form.fields.append((name[1].decode(), ""))
        else:
            form.fields.append((name[1].decode(), body.decode()))
    return form
