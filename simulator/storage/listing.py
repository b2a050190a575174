"""Lists of objects, uploads and parts, in S3's pages."""

from collections.abc import Mapping
from itertools import groupby
from urllib.parse import quote

from starlette.responses import Response

from simulator.storage.answers import Fields, Refused, stamp, xml_answer
from simulator.storage.shelf import Bucket, Kept

_MOST_KEYS = 1_000


def objects(bucket: Bucket, query: Mapping[str, str]) -> Response:
    """`list-type=2`, or version 1 where that is not asked for. `delimiter` folds keys into common prefixes."""
    is_v2 = query.get("list-type") == "2"
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = (query.get("continuation-token") or query.get("start-after", "")) if is_v2 else query.get("marker", "")
    most = _limit(query.get("max-keys"))
    rows = _folded(bucket.find_all(prefix, after), prefix, delimiter, after)
    page, rest = rows[:most], rows[most:]
    spell = quote if query.get("encoding-type") == "url" else str
    fields: dict[str, str | int | bool] = {
        "Name": bucket.root.name,
        "Prefix": spell(prefix),
        "MaxKeys": most,
        "IsTruncated": bool(rest),
    }
    if delimiter:
        fields["Delimiter"] = spell(delimiter)
    if "encoding-type" in query:
        fields["EncodingType"] = query["encoding-type"]
    if is_v2:
        fields["KeyCount"] = len(page)
    if page and rest:
        fields["NextContinuationToken" if is_v2 else "NextMarker"] = page[-1][0]
    items: list[tuple[str, Fields]] = []
    for name, kept in page:
        if kept is None:
            items.append(("CommonPrefixes", {"Prefix": spell(name)}))
        else:
            shown: dict[str, str | int] = {
                "Key": spell(name),
                "LastModified": stamp(kept.at),
                "ETag": f'"{kept.etag}"',
                "Size": kept.size_bytes,
            }
            items.append(("Contents", shown | {"StorageClass": "STANDARD"}))
    return xml_answer("ListBucketResult", fields, items)


def versions(bucket: Bucket, query: Mapping[str, str]) -> Response:
    spell = quote if query.get("encoding-type") == "url" else str
    items: list[tuple[str, Fields]] = []
    for kept, is_latest in bucket.find_versions(query.get("prefix", "")):
        row: dict[str, str | int | bool] = {"Key": spell(kept.key), "VersionId": kept.version_id or "null", "IsLatest": is_latest}
        row["LastModified"] = stamp(kept.at)
        if kept.is_marker:
            items.append(("DeleteMarker", row))
        else:
            items.append(("Version", row | {"ETag": f'"{kept.etag}"', "Size": kept.size_bytes, "StorageClass": "STANDARD"}))
    fields: dict[str, str | bool] = {"Name": bucket.root.name, "Prefix": spell(query.get("prefix", "")), "IsTruncated": False}
    if "encoding-type" in query:
        fields["EncodingType"] = query["encoding-type"]
    return xml_answer("ListVersionsResult", fields, items)


def uploads(bucket: Bucket, query: Mapping[str, str]) -> Response:
    spell = quote if query.get("encoding-type") == "url" else str
    items: list[tuple[str, Fields]] = [
        ("Upload", {"Key": spell(upload.key), "UploadId": upload.upload_id, "Initiated": upload.started_at})
        for upload in bucket.uploads(query.get("prefix", ""))
    ]
    fields: dict[str, str | bool] = {"Bucket": bucket.root.name, "IsTruncated": False}
    if "encoding-type" in query:
        fields["EncodingType"] = query["encoding-type"]
    return xml_answer("ListMultipartUploadsResult", fields, items)


def parts(bucket: Bucket, key: str, upload_id: str) -> Response:
    items: list[tuple[str, Fields]] = [
        ("Part", {"PartNumber": part.number, "ETag": f'"{part.etag}"', "Size": part.size_bytes}) for part in bucket.parts(upload_id)
    ]
    fields: dict[str, str | bool] = {"Bucket": bucket.root.name, "Key": key, "UploadId": upload_id, "IsTruncated": False}
    return xml_answer("ListPartsResult", fields, items)


def _folded(kept: list[Kept], prefix: str, delimiter: str, after: str) -> list[tuple[str, Kept | None]]:
    """Keys in order; those that share a common prefix (up to the delimiter) are one row without an object."""
    if not delimiter:
        return [(row.key, row) for row in kept]

    def folder(row: Kept) -> str:
        head, found, _ = row.key[len(prefix) :].partition(delimiter)
        return f"{prefix}{head}{found}" if found else ""

    rows: list[tuple[str, Kept | None]] = []
    for name, group in groupby(kept, key=folder):
        if name:
            if name != after:  # the token of a page that ended with this prefix
                rows.append((name, None))
        else:
            rows.extend((row.key, row) for row in group)
    return rows


def _limit(asked: str | None) -> int:
    try:
        most = int(asked) if asked else _MOST_KEYS
    except ValueError:
        raise Refused(400, "InvalidArgument", "Provided max-keys not an integer or within integer range") from None
    return min(max(most, 0), _MOST_KEYS)
