"""Recordings in a bucket: put from disk in constant memory, proved to be there before anybody is told so.

Blocking, for background work and for making links. Objects are private; only a presigned link opens one, for a while.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as BotoConnectionError

from engine.errors import ErrorCategory, ProviderError
from providers.config import StorageConfig
from providers.connection import status_error, timed_out, unreachable
from providers.storage.options import client_config

PROVIDER = "storage"
_PART_BYTES = 5 << 20
_TRANSFER = TransferConfig(  # type: ignore[no-untyped-call]  # boto3 has no types
    multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, use_threads=False
)
_DIGEST_KEY = "sha256"
_KMS = "aws:kms"
_NO_VERSIONS = frozenset({"NotImplemented", "MethodNotAllowed", "InvalidArgument"})
_LARGEST_SKEW = timedelta(minutes=15)  # S3's own
_MISSING_CODES = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that is there. `sha256` is the hex digest kept with it; empty if it was put by somebody else."""

    key: str
    size_bytes: int
    sha256: str
    etag: str
    content_type: str
    encryption: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """A version of an object (or a delete marker that hid older ones) that storage has removed for good."""

    version_id: str
    is_marker: bool


class ObjectStore:
    """One bucket. Every method raises `ProviderError`. May be shared by threads."""

    def __init__(self, config: StorageConfig) -> None:
        self._config = config

    def put_file(self, path: Path, key: str, content_type: str, sha256: str) -> StoredObject:
        """Uploads the file whose hex digest is `sha256` and verifies size and digest with the store before it returns.

        The same file under the same key is not sent again, so that a job may repeat this after any accident.
        """
        size_bytes = path.stat().st_size
        if _digest(path) != sha256:
            message = "the file on disk is not the one that was announced (its SHA-256 differs); fetch it again"
            raise ProviderError(PROVIDER, ErrorCategory.BAD_REQUEST, message, retryable=False)
        wanted = (size_bytes, sha256, self._encryption)
        there = self.head(key)
        if there is not None and self._facts(there) == wanted:
            return there
        extra: dict[str, Any] = {"ContentType": content_type, "Metadata": {_DIGEST_KEY: sha256}}
        if self._config.kms_key_id:
            extra |= {"ServerSideEncryption": _KMS, "SSEKMSKeyId": self._config.kms_key_id}
        with _failures(), path.open("rb") as file:
            self._client.upload_fileobj(file, self._config.bucket, key, ExtraArgs=extra, Config=_TRANSFER)
        stored = self.head(key)
        if stored is None or self._facts(stored) != wanted:
            message = "the stored object differs from the file that was sent"
            raise ProviderError(PROVIDER, ErrorCategory.TRUNCATED, message, retryable=True)
        return stored

    def head(self, key: str) -> StoredObject | None:
        """What is stored under `key`; None if nothing is."""
        try:
            with _failures():
                answer = self._client.head_object(Bucket=self._config.bucket, Key=key)
        except ProviderError as error:
            if error.category is ErrorCategory.NOT_FOUND:
                return None
            raise
        digest = answer.get("Metadata", {}).get(_DIGEST_KEY, "")
        encryption = str(answer.get("ServerSideEncryption", ""))
        return StoredObject(key, answer["ContentLength"], digest, answer["ETag"].strip('"'), answer.get("ContentType", ""), encryption)

    @property
    def _encryption(self) -> str:
        return _KMS if self._config.kms_key_id else ""

    def _facts(self, stored: StoredObject) -> tuple[int, str, str]:
        """What has to be as it was ordered; how a bucket encrypts of itself is its own affair."""
        return stored.size_bytes, stored.sha256, stored.encryption if self._config.kms_key_id else ""

    def read(self, key: str, most_bytes: int) -> bytes | None:
        """The object if it is there and no larger than `most_bytes`, else None."""
        try:
            with _failures():
                answer = self._client.get_object(Bucket=self._config.bucket, Key=key)
                if answer["ContentLength"] > most_bytes:
                    return None
                return bytes(answer["Body"].read())
        except ProviderError as error:
            if error.category is ErrorCategory.NOT_FOUND:
                return None
            raise

    def get_file(self, key: str, path: Path) -> None:
        """Downloads the object to `path` in constant memory; a file that is there is overwritten."""
        with _failures(), path.open("wb") as file:
            self._client.download_fileobj(self._config.bucket, key, file, Config=_TRANSFER)

    def presigned_url(self, key: str, expires_s: int, filename: str = "") -> str:
        """A link that plays or downloads the object for `expires_s` seconds. `filename` makes browsers save it under that name."""
        parameters = {"Bucket": self._config.bucket, "Key": key}
        if filename:
            parameters["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        with _failures():
            return str(self._signer.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_s))

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens if it is not there."""
        with _failures():
            self._client.delete_object(Bucket=self._config.bucket, Key=key)

    def versions(self, key: str) -> list[Removed]:
        """What there is to remove under exactly this key: every version and delete marker. An unversioned object is the version "null"."""
        try:
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._config.bucket, Prefix=key)
            with _failures():
                found = [(row, kind) for page in pages for kind in ("Versions", "DeleteMarkers") for row in page.get(kind, [])]
        except ProviderError as error:
            if not any(code in error.message for code in _NO_VERSIONS):
                raise
            return [Removed("", False)] if self.head(key) is not None else []
        return [Removed(str(row["VersionId"]), kind == "DeleteMarkers") for row, kind in found if row["Key"] == key]

    def delete_for_good(self, key: str, versions: Sequence[Removed]) -> None:
        """Removes these `versions` of the object, all that there are, and asks again: a retryable `ProviderError` if anything is left.

        Asked in two ways: a store that lists no versions where there is an object has not deleted it.
        """
        for one in versions:
            with _failures():
                extra = {"VersionId": one.version_id} if one.version_id else {}
                self._client.delete_object(Bucket=self._config.bucket, Key=key, **extra)
        if self.versions(key) or self.head(key) is not None:
            message = "still has the object that was deleted; look whether the bucket locks its objects"
            raise ProviderError(PROVIDER, ErrorCategory.SERVER, message, retryable=True)

    def abort_orphans(self, prefix: str, older_than_s: float = 0) -> int:
        """Aborts the unfinished uploads under `prefix`, whose parts cost storage for ever; returns how many there were.

        Without `older_than_s` only for a prefix that nobody is uploading to.
        """
        count, young = 0, datetime.now(UTC) - timedelta(seconds=older_than_s)
        with _failures():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._config.bucket, Prefix=prefix)
            for upload in (upload for page in pages for upload in page.get("Uploads", [])):
                if older_than_s and upload["Initiated"] > young:
                    continue
                self._client.abort_multipart_upload(Bucket=self._config.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                count += 1
        return count

    def ensure_bucket(self) -> None:
        """Creates the bucket unless it is there: for embedded and development stores, where nobody else does."""
        with _failures():
            try:
                self._client.head_bucket(Bucket=self._config.bucket)
            except ClientError as error:
                if _status(error) != 404:
                    raise
                self._client.create_bucket(Bucket=self._config.bucket, **self._placement())

    def _placement(self) -> dict[str, Any]:
        """us-east-1 is the one region that must not be named."""
        if self._config.region == "us-east-1":
            return {}
        return {"CreateBucketConfiguration": {"LocationConstraint": self._config.region}}

    @property
    def _client(self) -> Any:
        return _shared_client(self._config, self._config.endpoint_url, os.getpid())

    @property
    def _signer(self) -> Any:
        """Signs for the host that browsers use: the signature covers it."""
        return _shared_client(self._config, self._config.public_endpoint_url or self._config.endpoint_url, os.getpid())


@lru_cache(maxsize=16)
def _shared_client(config: StorageConfig, endpoint_url: str, _process_id: int) -> Any:
    """One client for each process: making one takes as long as a small upload, and its sockets must not survive a fork."""
    session = boto3.session.Session(  # type: ignore[no-untyped-call]
        aws_access_key_id=config.access_key_id,
        aws_secret_access_key=config.secret_access_key,
        region_name=config.region,
    )
    return session.client("s3", endpoint_url=endpoint_url or None, config=client_config(config))  # type: ignore[no-untyped-call]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _failures() -> Iterator[None]:
    """boto3's failures in our words."""
    try:
        yield
    except ClientError as error:
        raise _refusal(error) from error
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise timed_out(PROVIDER, "did not answer in time") from error
    except (BotoConnectionError, HTTPClientError) as error:
        raise unreachable(PROVIDER) from error
    except Boto3Error as error:  # the transfer layer wraps what went wrong
        cause = error.__context__
        if isinstance(cause, ClientError):
            raise _refusal(cause) from error
        raise ProviderError(PROVIDER, ErrorCategory.SERVER, "failed during the upload", retryable=True) from error
    except BotoCoreError as error:
        message = f"could not be used ({type(error).__name__}); check the storage settings"
        raise ProviderError(PROVIDER, ErrorCategory.BAD_REQUEST, message, retryable=False) from error


def _refusal(error: ClientError) -> ProviderError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
    if code == "RequestTimeTooSkewed" or (_status(error) == 403 and _is_far_off(answer, datetime.now(UTC))):
        message = "refused a request whose time is off; this machine's clock or the store's is wrong: check their time service"
        return ProviderError(PROVIDER, ErrorCategory.SERVER, message, retryable=True)
    status = 404 if code in _MISSING_CODES else _status(error)
    return status_error(PROVIDER, status, code=code, request_id=request_id)


def _is_far_off(answer: Mapping[str, Any], now: datetime) -> bool:
    """Whether the answer was stamped at a time at which our signature is too old or too new. A refused HEAD gives no other reason."""
    try:
        stamped = parsedate_to_datetime(str(answer["ResponseMetadata"]["HTTPHeaders"]["date"]))
    except (LookupError, TypeError, ValueError):
        return False
    return stamped.tzinfo is not None and abs(stamped - now) > _LARGEST_SKEW


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
