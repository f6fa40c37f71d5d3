"""What the service answers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from undegrade import __version__
from undegrade.diagnosis import listed
from undegrade.inference.models import MODELS
from undegrade.web.desk import DEGRADER, Desk
from undegrade.web.jobs import DONE, FAILED, RUNNING, StoredJob
from undegrade.web.manual import manual
from undegrade.web.orders import Answer, Order
from undegrade.web.receiving import FIELD, receive_picture

REPORT = "Undegrade-Report"  # header: the report as JSON in ASCII
LONGEST_HEADER = 8192  # bytes
CHUNK = 3 << 16  # bytes of a picture that become Base64 at a time; a multiple of three
MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
    ".avif": "image/avif",
}
BINARY = {"type": "string", "format": "binary"}
PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": BINARY},
            "image/*": {"schema": BINARY},
            "multipart/form-data": {
                "schema": {"type": "object", "required": [FIELD], "properties": {FIELD: BINARY}},
            },
        },
    }
}
ERROR = {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request was cut off or cannot be read.", "content": ERROR},
    401: {"description": "The token is missing or wrong.", "content": ERROR},
    403: {"description": "A page of another site asks.", "content": ERROR},
    408: {"description": "The request took too long to arrive.", "content": ERROR},
    413: {"description": "The picture is too large.", "content": ERROR},
    421: {"description": "The service does not go by this host name.", "content": ERROR},
    422: {"description": "An option, or the picture, cannot be used.", "content": ERROR},
    429: {"description": "Too much is at work; the header Retry-After says when to ask again.", "content": ERROR},
    500: {"description": "The service failed.", "content": ERROR},
    501: {"description": "The service has no PyTorch.", "content": ERROR},
    503: {"description": "The model cannot be loaded.", "content": ERROR},
    504: {"description": "The picture took too long.", "content": ERROR},
    507: {"description": "The service's disk is full.", "content": ERROR},
}
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {"description": f"The picture; what was found and done in the header {REPORT}.", "content": {"image/*": {}}},
    202: {
        "description": "Taken on as a job; the header Location says where it is.",
        "content": {"application/json": {}},
    },
}

router = APIRouter(responses=ERRORS)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def _after_the_answer() -> AsyncIterator[ExitStack]:
    """What is entered here is left when the answer was sent, or nobody takes it."""
    with ExitStack() as stack:
        yield stack


AtDesk = Annotated[Desk, Depends(_desk)]
After = Annotated[ExitStack, Depends(_after_the_answer)]
Model = Annotated[str | None, Query(description="One of /v1/models; the first unless given.")]
Wait = Annotated[bool, Query(description="False: take it on as a job and answer at once with 202.")]
Form = Annotated[str | None, Query(alias="format", description="png, jpg, tif, webp or avif; else as it was.")]
Quality = Annotated[int | None, Query(ge=1, le=100, description="Of JPEG, WebP and AVIF; else 95.")]
Kinds = Annotated[str, Query(description="Kinds, with commas, such as rain,haze.", max_length=400)]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The options of `POST /v1/restore`, from its query."""

    model: Model = None
    strength: Annotated[float, Query(ge=0, le=1, description="How far to go from the original.")] = 1.0
    only: Kinds = ""
    skip: Kinds = ""
    force: Annotated[bool, Query(description="Repair all of only, else what is likeliest, in full, unchecked.")] = False
    local: Annotated[bool, Query(description="Only where something is wrong.")] = False
    form: Form = None
    quality: Quality = None
    strip: Annotated[bool, Query(description="Colours as sRGB and no metadata.")] = False
    record: Annotated[bool, Query(description="Note in the XMP metadata what was done.")] = False
    answer: Annotated[Literal["picture", "json"], Query(description="json: report and picture, in Base64.")] = "picture"
    wait: Wait = True


@router.post("/v1/restore", responses=PICTURES, openapi_extra=PICTURE_BODY, tags=["pictures"])
async def restore(request: Request, desk: AtDesk, after: After, wanted: Annotated[Wanted, Depends()]) -> Response:
    """Repair a picture; what has nothing wrong with it comes back as it was."""
    order = Order(
        kind="restore",
        source="",
        target="",
        strength=wanted.strength,
        only=listed(wanted.only),
        skip=listed(wanted.skip),
        force=wanted.force,
        local=wanted.local,
        form=wanted.form,
        quality=wanted.quality,
        strip=wanted.strip,
        record=wanted.record,
    )
    model = _model(desk, wanted.model)
    return await _take(request, desk, after, model, order, wait=wanted.wait, answer=wanted.answer)


@router.post("/v1/diagnose", openapi_extra=PICTURE_BODY, tags=["pictures"])
async def diagnose(request: Request, desk: AtDesk, after: After, model: Model = None) -> Response:
    """Say what is wrong with a picture: label, probabilities, severities in units."""
    order = Order(kind="diagnose", source="", target="")
    return await _take(request, desk, after, _model(desk, model), order, wait=True, answer="report")


@router.post("/v1/degrade", responses=PICTURES, openapi_extra=PICTURE_BODY, tags=["pictures"])
async def degrade(
    request: Request,
    desk: AtDesk,
    after: After,
    specs: Annotated[
        list[str],
        Query(alias="as", description='What to do, first thing first, such as "noise(sigma=25)".', max_length=16),
    ],
    seed: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
    form: Form = None,
    quality: Quality = None,
    wait: Wait = True,
) -> Response:
    """Spoil a picture, for tests and training data."""
    order = Order(kind="degrade", source="", target="", specs=tuple(specs), seed=seed, form=form, quality=quality)
    return await _take(request, desk, after, DEGRADER, order, wait=wait, answer="picture")


@router.get("/v1/jobs/{job_id}", tags=["jobs"], responses={404: {"description": "No such job.", "content": ERROR}})
async def job(desk: AtDesk, job_id: str) -> dict[str, Any]:
    """How a job stands."""
    return _job_data(_find(desk, job_id), desk)


@router.get(
    "/v1/jobs/{job_id}/result",
    tags=["jobs"],
    responses={**PICTURES, 404: {"description": "No such job.", "content": ERROR}},
)
async def result(desk: AtDesk, job_id: str) -> Response:
    """The picture of a job that is done; 202 while it is not, and the error of one that failed."""
    found = _find(desk, job_id)
    if found.state == FAILED:
        raise HTTPException(found.status or 500, found.error)
    if found.state != DONE:
        return JSONResponse(_job_data(found, desk), 202, headers={"Retry-After": "1"})
    file = desk.jobs.folder_of(found.id) / found.result
    if not file.is_file():
        raise HTTPException(404, "the picture of this job has been removed")
    return _picture(file, found.report or {})


@router.delete(
    "/v1/jobs/{job_id}",
    status_code=204,
    tags=["jobs"],
    responses={
        404: {"description": "No such job.", "content": ERROR},
        409: {"description": "It is at work.", "content": ERROR},
    },
)
async def forget(desk: AtDesk, job_id: str) -> Response:
    """Remove a job that waits or is finished, with its pictures."""
    if _find(desk, job_id).state == RUNNING:
        raise HTTPException(409, "the job is at work; ask again when it is done")
    desk.jobs.remove(job_id)
    return Response(status_code=204)


@router.get("/v1/models", tags=["service"])
async def models(desk: AtDesk) -> dict[str, Any]:
    """The models, the default first, and what each can name."""
    return {
        "models": [
            {
                "name": name,
                "about": MODELS[name].about if name in MODELS else "",
                "labels": list(desk.workers[name].labels),
            }
            for name in desk.settings.models
        ]
    }


@router.get("/healthz", tags=["service"])
async def health(desk: AtDesk) -> dict[str, Any]:
    """Whether the service is well."""
    workers = {name or "degrade": {"alive": w.alive, "deaths": w.deaths} for name, w in desk.workers.items()}
    return {"status": "ok", "version": __version__, "line": desk.line.length, "workers": workers}


@router.get("/metrics", tags=["service"], response_class=Response)
async def metrics(desk: AtDesk) -> Response:
    """Counters and gauges in Prometheus' text format."""
    return Response(desk.gauges.text(desk.line.length, desk.jobs.counts()), media_type="text/plain; version=0.0.4")


@router.get("/", include_in_schema=False)
async def page(request: Request) -> HTMLResponse:
    """The manual of this service, which asks no other one for scripts or fonts."""
    return HTMLResponse(manual(request.app.openapi()))


def _model(desk: Desk, name: str | None) -> str:
    if name is None:
        return desk.settings.models[0]
    if name not in desk.settings.models:
        raise HTTPException(422, f"model: {name!r} is not served; expected one of {', '.join(desk.settings.models)}")
    return name


def _find(desk: Desk, job_id: str) -> StoredJob:
    found = desk.jobs.find(job_id)
    if found is None:
        raise HTTPException(404, "no such job; it may have expired")
    return found


async def _take(
    request: Request, desk: Desk, after: ExitStack, model: str, order: Order, *, wait: bool, answer: str
) -> Response:
    """Receive the picture, and answer with the result, or with a job."""
    _check_options(request)
    async with desk.line.place():
        folder = after.enter_context(desk.upload())
        source = folder / "picture"
        await receive_picture(request, source)
        if not wait:
            return _job(desk, model, order, source)
        at_once = 0 if order.kind == "diagnose" else desk.settings.at_once
        placed = replace(order, source=str(source), target=str(folder / "result"), at_once=at_once)
        done = await desk.carry_out(model, placed, request.is_disconnected)
        if done.status == 202:
            return _job(desk, model, order, source)
        if done.status != 200:
            raise HTTPException(done.status, done.error)
        return _answer(done, answer)


def _check_options(request: Request) -> None:
    """Refuse what the description does not have: a misspelt option would be left out in silence."""
    described = request.app.openapi()["paths"][request.url.path]["post"].get("parameters", [])
    names = [parameter["name"] for parameter in described]
    for name in request.query_params:
        if name not in names:
            raise HTTPException(422, f"{name}: no such option; known are {', '.join(names)}")


def _job(desk: Desk, model: str, order: Order, source: Path) -> JSONResponse:
    """Take it on for later, and say where it will be."""
    data = _job_data(desk.submit(model, order, source), desk)
    return JSONResponse(data, 202, headers={"Location": data["url"]})


def _answer(done: Answer, answer: str) -> Response:
    report = done.report or {}
    if answer == "picture":
        return _picture(Path(done.target), report)
    if answer == "json":
        return StreamingResponse(_both(Path(done.target), report), media_type="application/json")
    return JSONResponse(report)


def _both(path: Path, report: dict[str, Any]) -> Iterator[str]:
    """The report and the picture as JSON, piece by piece."""
    yield json.dumps({"report": report, "media_type": MEDIA[path.suffix]})[:-1] + ', "picture": "'
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield base64.b64encode(chunk).decode()
    yield '"}'


def _picture(path: Path, report: dict[str, Any]) -> FileResponse:
    """The file, with the report in the header."""
    text = json.dumps(report)
    if len(text) > LONGEST_HEADER:  # many pages, or many notes
        text = json.dumps({**report, "pages": [], "notes": ["too much for a header; ask for answer=json"]})
    return FileResponse(path, media_type=MEDIA[path.suffix], headers={REPORT: text})


def _job_data(found: StoredJob, desk: Desk) -> dict[str, Any]:
    url = f"/v1/jobs/{found.id}"
    return {
        "id": found.id,
        "state": found.state,
        "kind": found.order.kind,
        "submitted": found.submitted,
        "finished": found.finished,
        "expires": None if found.finished is None else found.finished + desk.settings.keep_seconds,
        "report": found.report,
        "error": found.error,
        "url": url,
        "result": f"{url}/result",
    }
