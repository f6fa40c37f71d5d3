"""The picture in a request, written to a file of the service's own naming."""

from __future__ import annotations

import shutil
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

FIELD = "picture"  # of a form


async def receive_picture(request: Request, target: Path) -> None:
    """Write the body of a request, or the file in its form, to `target`.

    Args:
        request: a form with one file in the field "picture", or else a picture as it is.
        target: a new file; what a client calls the picture is not looked at.

    Raises:
        HTTPException: there is no picture.
        OSError: there is no room for it.
    """
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data":
            await _from_form(request, target)
        else:
            with target.open("xb") as file:
                async for chunk in request.stream():
                    file.write(chunk)
    except ClientDisconnect:
        raise HTTPException(400, "the request was cut off") from None
    if not target.stat().st_size:
        raise HTTPException(422, "the picture is empty; send a file's bytes as the body, or in the form field picture")


async def _from_form(request: Request, target: Path) -> None:
    async with request.form(max_files=1, max_fields=4) as form:
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            raise HTTPException(422, f"the form has no file in the field {FIELD}")
        with target.open("xb") as file:
            shutil.copyfileobj(upload.file, file)
