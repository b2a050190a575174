"""Uploads in parts, as S3 answers them."""

import asyncio

from defusedxml import ElementTree  # type: ignore[import-untyped]  # it has no types
from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import BodyTooLarge, read_body
from simulator.storage.answers import Refused, request_headers, xml_answer
from simulator.storage.payload import Payload
from simulator.storage.shelf import Bucket

_MOST_PARTS = 10_000
_MOST_LIST_BYTES = 2 << 20


async def post(
    bucket: Bucket, key: str, request: Request, *, content_type: str, metadata: dict[str, str], kept: dict[str, str]
) -> Response:
    """Begins an upload (`?uploads`) or completes one (`?uploadId=`)."""
    query = request.query_params
    if "uploads" in query:
        upload = bucket.begin_upload(key, content_type, metadata, kept)
        return xml_answer("InitiateMultipartUploadResult", {"Bucket": bucket.root.name, "Key": key, "UploadId": upload.upload_id})
    if "uploadId" not in query:
        raise Refused(501, "NotImplemented", "The simulator does not play this POST.")
    try:
        wanted = _wanted(await read_body(request, _MOST_LIST_BYTES))
    except BodyTooLarge as error:
        raise Refused(400, "MalformedXML", str(error)) from error
    stored = await asyncio.to_thread(bucket.complete, query["uploadId"], wanted)
    fields = {"Location": str(request.url.path), "Bucket": bucket.root.name, "Key": key, "ETag": f'"{stored.etag}"'}
    return xml_answer("CompleteMultipartUploadResult", fields)


async def put_part(bucket: Bucket, request: Request, payload: Payload) -> Response:
    number = request.query_params["partNumber"]
    if not number.isdigit() or not 1 <= int(number) <= _MOST_PARTS:
        raise Refused(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    part = await bucket.put_part(request.query_params.get("uploadId", ""), int(number), payload)
    return Response(status_code=200, headers={**request_headers(), **payload.checksums, "etag": f'"{part.etag}"'})


def _wanted(body: bytes) -> list[tuple[int, str]]:
    """Part numbers and etags of a `CompleteMultipartUpload` document."""
    try:
        root = ElementTree.fromstring(body)
        parts = [part for part in root if part.tag.rpartition("}")[2] == "Part"]
        read = [{field.tag.rpartition("}")[2]: field.text or "" for field in part} for part in parts]
        return [(int(part["PartNumber"]), part["ETag"].strip('"')) for part in read]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        raise Refused(400, "MalformedXML", message) from error
