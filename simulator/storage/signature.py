"""Who may do this: AWS Signature Version 4 in the header or in the query, recomputed with botocore's own signer."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.requests import Request

from simulator.storage.answers import Refused

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"
_SKEW = timedelta(minutes=15)
_LONGEST_LINK_S = 7 * 24 * 3600


def check(request: Request, keys: Mapping[str, str], now: datetime) -> None:
    """Raises `Refused` unless the request is signed with one of `keys`, in time."""
    if request.headers.get("authorization"):
        _check_header(request, keys, now)
    elif "X-Amz-Signature" in request.query_params:
        _check_link(request, keys, now)
    else:
        raise Refused(403, "AccessDenied", "Access Denied")


def _check_header(request: Request, keys: Mapping[str, str], now: datetime) -> None:
    algorithm, _, rest = request.headers["authorization"].partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if algorithm != _ALGORITHM or not {"Credential", "SignedHeaders", "Signature"} <= parts.keys():
        raise Refused(400, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
    when = request.headers.get("x-amz-date", "")
    if abs(_moment(when) - now) > _SKEW:
        raise Refused(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
    query = request.scope["query_string"].decode("ascii")
    _compare(S3SigV4Auth, request, keys, parts["Credential"], parts["SignedHeaders"], when, query, parts["Signature"])


def _check_link(request: Request, keys: Mapping[str, str], now: datetime) -> None:
    raw = request.scope["query_string"].decode("ascii")
    query = dict(parse_qsl(raw, keep_blank_values=True))
    if query.get("X-Amz-Algorithm") != _ALGORITHM or not {"X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires"} <= query.keys():
        raise Refused(400, "AuthorizationQueryParametersError", "Query-string authentication requires all of its parameters.")
    try:
        lasts_s = int(query["X-Amz-Expires"])
    except ValueError:
        lasts_s = -1
    if not 0 < lasts_s <= _LONGEST_LINK_S:
        raise Refused(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be between 1 and 604800 seconds.")
    unsigned = "&".join(pair for pair in raw.split("&") if not pair.startswith("X-Amz-Signature="))
    signed_headers, signature = query.get("X-Amz-SignedHeaders", "host"), query["X-Amz-Signature"]
    _compare(S3SigV4QueryAuth, request, keys, query["X-Amz-Credential"], signed_headers, query["X-Amz-Date"], unsigned, signature)
    if now > _moment(query["X-Amz-Date"]) + timedelta(seconds=lasts_s):
        raise Refused(403, "AccessDenied", "Request has expired")


def _compare(
    signer: Any,
    request: Request,
    keys: Mapping[str, str],
    credential: str,
    signed_headers: str,
    when: str,
    query: str,
    given: str,
) -> None:
    key_id, *scope = credential.split("/")
    if key_id not in keys:
        raise Refused(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    if len(scope) != 4 or scope[2:] != ["s3", "aws4_request"] or scope[0] != when[:8]:
        raise Refused(400, "AuthorizationHeaderMalformed", "The credential scope is malformed.")
    path = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    url = f"http://{request.headers.get('host', '')}{path.decode('ascii')}"
    again = AWSRequest(method=request.method, url=f"{url}?{query}" if query else url)  # type: ignore[no-untyped-call]
    for name in signed_headers.split(";"):
        again.headers[name] = request.headers.get(name, "")
    again.context["timestamp"] = when
    auth = signer(Credentials(key_id, keys[key_id]), "s3", scope[1])  # type: ignore[no-untyped-call]
    expected = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    if not secrets.compare_digest(expected, given):
        message = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        raise Refused(403, "SignatureDoesNotMatch", message)


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise Refused(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None
