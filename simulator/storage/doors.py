"""The doors of the fake S3: `/s3/<bucket>` and `/s3/<bucket>/<key>`."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator.answers import StreamedAnswer, endured
from simulator.faults import Fault
from simulator.state import SimulatorState
from simulator.storage import listing, uploads
from simulator.storage.answers import Refused, by_status, error_answer, request_headers, xml_answer
from simulator.storage.payload import Payload
from simulator.storage.settings import StorageSettings
from simulator.storage.shelf import Bucket, Kept
from simulator.storage.signature import check

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_PIECE_BYTES = 64 * 1024
_KEPT_HEADERS = (
    *("cache-control", "content-disposition", "content-language", "expires"),
    *("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"),
)
_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]

Door = Callable[[SimulatorState, Request], Awaitable[Response]]


def routes(state: SimulatorState) -> list[BaseRoute]:
    def guarded(door: Door) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if request.method == "OPTIONS":
                return _preflight(request)
            try:
                check(request, _settings(state).keys, datetime.now(UTC))
                return await door(state, request)
            except Refused as refused:
                return error_answer(refused, request.url.path, has_body=request.method != "HEAD")
            except ClientDisconnect:
                return Response(status_code=499)

        return answer

    return [
        Route("/s3/{bucket}", guarded(_bucket), methods=_METHODS),
        Route("/s3/{bucket}/", guarded(_bucket), methods=_METHODS),
        Route("/s3/{bucket}/{key:path}", guarded(_object), methods=_METHODS),
    ]


def _settings(state: SimulatorState) -> StorageSettings:
    return state.part(StorageSettings, StorageSettings)


def _preflight(request: Request) -> Response:
    allowed = {"access-control-allow-methods": "GET, HEAD, PUT", "access-control-max-age": "3600"}
    asked = request.headers.get("access-control-request-headers")
    return Response(status_code=200, headers={**request_headers(), **allowed, **({"access-control-allow-headers": asked} if asked else {})})


# --- buckets ----------------------------------------------------------------------------------------------------------


async def _bucket(state: SimulatorState, request: Request) -> Response:
    bucket, query = _open(state, request), request.query_params
    if request.method == "PUT" and "versioning" in query:
        if not bucket.exists:
            raise _no_bucket()
        if b"<Status>Enabled</Status>" in await request.body():
            bucket.keep_versions()
        return Response(status_code=200, headers=request_headers())
    if request.method == "PUT":
        if bucket.exists:
            raise Refused(
                409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it."
            )
        bucket.create()
        return Response(status_code=200, headers={**request_headers(), "location": f"/{bucket.root.name}"})
    if not bucket.exists:
        raise _no_bucket()
    if request.method == "HEAD":
        return Response(status_code=200, headers={**request_headers(), "x-amz-bucket-region": "us-east-1"})
    if request.method == "GET":
        if "location" in query:
            return xml_answer("LocationConstraint", {})
        if "uploads" in query:
            return listing.uploads(bucket, query)
        if "versioning" in query:
            return xml_answer("VersioningConfiguration", {"Status": "Enabled"} if bucket.is_versioned else {})
        if "versions" in query:
            return listing.versions(bucket, query)
        return listing.objects(bucket, query)
    raise _not_done(request)


def _open(state: SimulatorState, request: Request, *, for_writing: bool = False) -> Bucket:
    name = request.path_params["bucket"]
    if not _BUCKET_NAME.fullmatch(name):
        raise Refused(400, "InvalidBucketName", "The specified bucket is not valid.")
    bucket = Bucket(state.scratch / "s3" / name)
    if for_writing and not bucket.exists:
        if not _settings(state).creates_buckets:
            raise _no_bucket()
        bucket.create()
    return bucket


# --- objects ----------------------------------------------------------------------------------------------------------


async def _object(state: SimulatorState, request: Request) -> Response:
    if request.method in ("PUT", "POST"):
        return await _write(state, request)
    if request.method in ("GET", "HEAD"):
        return await _read(state, request)
    bucket, key = _open(state, request), request.path_params["key"]
    if not bucket.exists:
        raise _no_bucket()
    if "uploadId" in request.query_params:
        bucket.abort(request.query_params["uploadId"])
    else:
        fault = state.faults.take("s3.delete")
        if not await endured(fault, request.receive):
            return Response(status_code=499)
        if fault is not None and fault.fault == "status":
            raise by_status(fault.status)
        bucket.delete(key, request.query_params.get("versionId", ""))
        state.note("s3.delete", bucket=bucket.root.name, key=key)
    return Response(status_code=204, headers=request_headers())


async def _write(state: SimulatorState, request: Request) -> Response:
    fault = state.faults.take("s3.put")
    with state.opened("s3.put"):
        if fault is not None and (refusal := await _suffered(fault, request)) is not None:
            return refusal
        bucket, key = _open(state, request, for_writing=True), request.path_params["key"]
        if request.method == "POST":
            return await uploads.post(
                bucket, key, request, content_type=_content_type(request), metadata=_metadata(request), kept=_kept(request)
            )
        if "x-amz-copy-source" in request.headers:
            raise _not_done(request)
        payload = Payload(request.stream(), request.headers)
        if "partNumber" in request.query_params:
            return await uploads.put_part(bucket, request, payload)
        stored = await bucket.put(key, payload, _content_type(request), _metadata(request), _kept(request))
        state.note("s3.put", bucket=bucket.root.name, key=key, size_bytes=stored.size_bytes)
        return Response(status_code=200, headers={**request_headers(), **stored.checksums, "etag": f'"{stored.etag}"'})


async def _read(state: SimulatorState, request: Request) -> Response:
    fault = state.faults.take("s3.get") if request.method == "GET" else None
    with state.opened("s3.get"):
        if not await endured(fault, request.receive):
            return Response(status_code=499)
    if fault is not None and fault.fault == "status":
        raise by_status(fault.status)
    bucket, query = _open(state, request), request.query_params
    if not bucket.exists:
        raise _no_bucket()
    if "uploadId" in query:
        return listing.parts(bucket, request.path_params["key"], query["uploadId"])
    kept = bucket.find(request.path_params["key"])
    if kept is None:
        raise Refused(404, "NoSuchKey", "The specified key does not exist.")
    first, last, status = _range(request.headers.get("range", ""), kept.size_bytes)
    headers = {**request_headers(), **_describing(kept, request.headers, query), "content-length": str(last - first + 1)}
    if status == 206:
        headers["content-range"] = f"bytes {first}-{last}/{kept.size_bytes}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=headers.pop("content-type"))
    answer = StreamedAnswer(
        _pieces(bucket.path(kept), first, last - first + 1),
        media_type=headers.pop("content-type"),
        headers=headers,
        fault=fault,
        open_while=state.opened("s3.get"),
    )
    answer.status_code = status
    answer.headers["content-length"] = headers["content-length"]
    return answer


def _describing(kept: Kept, asked: Mapping[str, str], query: Mapping[str, str]) -> dict[str, str]:
    """An object's own headers, where a link may overrule some of them."""
    headers = {
        "etag": f'"{kept.etag}"',
        "last-modified": kept.at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "accept-ranges": "bytes",
        "content-type": kept.content_type,
        **kept.headers,
        **{f"x-amz-meta-{name}": value for name, value in kept.metadata.items()},
    }
    if asked.get("x-amz-checksum-mode", "").upper() == "ENABLED" and "range" not in asked:
        headers |= kept.checksums
    overruled = {name.removeprefix("response-"): value for name, value in query.items() if name.startswith("response-")}
    return headers | overruled


def _range(asked: str, size_bytes: int) -> tuple[int, int, int]:
    """First and last byte, and the status. A range that cannot be read is ignored, one beyond the end is refused."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.strip())
    if not found or found.groups() == ("", ""):
        return 0, size_bytes - 1, 200
    begin, end = found.groups()
    if not begin:
        first, last = max(0, size_bytes - int(end)), size_bytes - 1
    else:
        first, last = int(begin), min(int(end) if end else size_bytes - 1, size_bytes - 1)
    if first > last:
        raise Refused(416, "InvalidRange", "The requested range is not satisfiable")
    return first, last, 206


async def _pieces(path: Path, first: int, size_bytes: int) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        file.seek(first)
        while size_bytes > 0 and (piece := file.read(min(_PIECE_BYTES, size_bytes))):
            size_bytes -= len(piece)
            yield piece


async def _suffered(fault: Fault, request: Request) -> Response | None:
    """Plays the fault of an upload. None: it may go on after all."""
    if fault.fault == "delay":
        await asyncio.sleep(fault.ms / 1000)
        return None
    await _read_body(request, fault.after if fault.fault == "drop" else None)
    if fault.fault == "status":
        raise by_status(fault.status)
    if fault.fault == "hang":
        await endured(fault, request.receive)
        return Response(status_code=499)
    cut = Fault(fault.target, "drop")
    return StreamedAnswer(_nothing(), media_type="application/xml", headers=request_headers(), fault=cut)


async def _read_body(request: Request, most_bytes: int | None) -> None:
    read_bytes = 0
    async for piece in request.stream():
        read_bytes += len(piece)
        if most_bytes is not None and read_bytes >= most_bytes:
            return


async def _nothing() -> AsyncIterator[bytes]:
    yield b"<"


def _content_type(request: Request) -> str:
    return request.headers.get("content-type") or "binary/octet-stream"


def _metadata(request: Request) -> dict[str, str]:
    return {name.removeprefix("x-amz-meta-"): value for name, value in request.headers.items() if name.startswith("x-amz-meta-")}


def _kept(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}


def _no_bucket() -> Refused:
    return Refused(404, "NoSuchBucket", "The specified bucket does not exist")


def _not_done(request: Request) -> Refused:
    return Refused(501, "NotImplemented", f"The simulator does not play {request.method} on this resource.")
