"""The fake S3 against boto3 and against a bare HTTP client, over a real socket."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from simulator.state import SimulatorState
from simulator.storage import StorageSettings, routes
from tests.simulator.serving import Served, served, settled

BUCKET = "recordings"
PART_BYTES = 5 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    state = SimulatorState(scratch=tmp_path)
    with served(state, routes(state)) as running:
        yield running


def s3_client(server: Served, *, key: str = "simulator", secret: str = "simulator-secret", **config: Any) -> Any:
    retries = {"total_max_attempts": 1, "mode": "standard"}
    return boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1").client(
        "s3",
        endpoint_url=f"{server.http}/s3",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries=retries, read_timeout=5, **config),
    )


@pytest.fixture
def s3(server: Served) -> Iterator[Any]:
    client = s3_client(server)
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


# --- objects ----------------------------------------------------------------------------------------------------------


def test_an_object_comes_back_with_its_bytes_type_and_metadata(s3: Any) -> None:
    body = os.urandom(100_000)
    s3.put_object(Bucket=BUCKET, Key="calls/a b+ü/1.wav", Body=body, ContentType="audio/x-wav", Metadata={"sha256": "ab" * 32})

    got = s3.get_object(Bucket=BUCKET, Key="calls/a b+ü/1.wav")

    assert got["Body"].read() == body
    assert got["ContentType"] == "audio/x-wav"
    assert got["Metadata"] == {"sha256": "ab" * 32}
    assert got["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert s3.head_object(Bucket=BUCKET, Key="calls/a b+ü/1.wav")["ContentLength"] == 100_000


def test_a_put_replaces_and_a_delete_removes_and_neither_leaves_files_behind(s3: Any, server: Served) -> None:
    for body in (b"one", b"two"):
        s3.put_object(Bucket=BUCKET, Key="k", Body=body)
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"two"

    s3.delete_object(Bucket=BUCKET, Key="k")
    s3.delete_object(Bucket=BUCKET, Key="k")

    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="k")
    assert code_of(caught) == (404, "NoSuchKey")
    assert list((server.state.scratch / "s3" / BUCKET / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=90-", 90, 99), ("bytes=-5", 95, 99), ("bytes=95-500", 95, 99)],
)
def test_a_range_gives_exactly_those_bytes(s3: Any, asked: str, first: int, last: int) -> None:
    body = bytes(range(100))
    s3.put_object(Bucket=BUCKET, Key="k", Body=body)

    got = s3.get_object(Bucket=BUCKET, Key="k", Range=asked)

    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {first}-{last}/100"
    assert got["Body"].read() == body[first : last + 1]


def test_a_range_beyond_the_end_is_refused_and_an_empty_object_is_served(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    assert s3.get_object(Bucket=BUCKET, Key="empty")["Body"].read() == b""
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="empty", Range="bytes=0-9")
    assert code_of(caught) == (416, "InvalidRange")


def test_lists_come_in_pages_and_fold_folders(s3: Any) -> None:
    for key in ("a/1", "a/2", "a/deep/3", "b/1", "c d"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 2})
    assert [item["Key"] for page in pages for item in page["Contents"]] == ["a/1", "a/2", "a/deep/3", "b/1", "c d"]

    folded = s3.list_objects_v2(Bucket=BUCKET, Prefix="a/", Delimiter="/")
    assert [item["Key"] for item in folded["Contents"]] == ["a/1", "a/2"]
    assert folded["CommonPrefixes"] == [{"Prefix": "a/deep/"}]

    first_version = s3.get_paginator("list_objects").paginate(Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 1})
    found = [(page.get("CommonPrefixes", []), [item["Key"] for item in page.get("Contents", [])]) for page in first_version]
    assert found == [([{"Prefix": "a/"}], []), ([{"Prefix": "b/"}], []), ([], ["c d"])]


def test_an_unknown_bucket_is_404_unless_the_first_write_may_create_it(server: Served) -> None:
    client = s3_client(server)
    for call in (lambda: client.head_bucket(Bucket="nowhere"), lambda: client.list_objects_v2(Bucket="nowhere")):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught)[0] == 404
    client.put_object(Bucket="nowhere", Key="k", Body=b"x")
    client.head_bucket(Bucket="nowhere")


def test_a_strict_server_refuses_a_write_into_an_unknown_bucket(tmp_path: Path) -> None:
    state = SimulatorState(scratch=tmp_path)
    state.part(StorageSettings, lambda: StorageSettings(creates_buckets=False))
    with served(state, routes(state)) as server, pytest.raises(ClientError) as caught:
        s3_client(server).put_object(Bucket="nowhere", Key="k", Body=b"x")
    assert code_of(caught) == (404, "NoSuchBucket")


# --- uploads in parts -------------------------------------------------------------------------------------------------


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(PART_BYTES * 2 + 12_345))
    config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False)

    s3.upload_file(str(path), BUCKET, "large", ExtraArgs={"Metadata": {"sha256": "cd" * 32}}, Config=config)

    head = s3.head_object(Bucket=BUCKET, Key="large")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"sha256": "cd" * 32}
    assert s3.get_object(Bucket=BUCKET, Key="large")["Body"].read() == path.read_bytes()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_an_unfinished_upload_is_listed_until_it_is_aborted(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="half")["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="half", UploadId=upload, PartNumber=1, Body=b"x" * 10)

    assert [part["Size"] for part in s3.list_parts(Bucket=BUCKET, Key="half", UploadId=upload)["Parts"]] == [10]
    assert [item["UploadId"] for item in s3.list_multipart_uploads(Bucket=BUCKET, Prefix="ha")["Uploads"]] == [upload]
    s3.abort_multipart_upload(Bucket=BUCKET, Key="half", UploadId=upload)

    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
    with pytest.raises(ClientError) as caught:
        s3.upload_part(Bucket=BUCKET, Key="half", UploadId=upload, PartNumber=1, Body=b"x")
    assert code_of(caught) == (404, "NoSuchUpload")


@pytest.mark.parametrize(
    ("sizes", "wanted", "code"),
    [
        ([10, 10], [1, 2], "EntityTooSmall"),
        ([PART_BYTES, 10], [2, 1], "InvalidPartOrder"),
        ([10], [1, 2], "InvalidPart"),
    ],
)
def test_a_wrong_list_of_parts_is_refused(s3: Any, sizes: list[int], wanted: list[int], code: str) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    etags = {
        number: s3.upload_part(Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=number, Body=bytes(size))["ETag"]
        for number, size in enumerate(sizes, 1)
    }
    parts = [{"PartNumber": number, "ETag": etags.get(number, '"0"')} for number in wanted]
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(Bucket=BUCKET, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert code_of(caught) == (400, code)


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("simulator", "wrong", "SignatureDoesNotMatch"), ("stranger", "simulator-secret", "InvalidAccessKeyId")],
)
def test_a_wrong_key_is_refused(server: Served, s3: Any, key: str, secret: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3_client(server, key=key, secret=secret).list_objects_v2(Bucket=BUCKET)
    assert code_of(caught) == (403, code)


def test_objects_are_private_and_a_link_opens_one(server: Served, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="calls/1.wav", Body=b"RIFF-audio", ContentType="audio/x-wav")
    bare = f"{server.http}/s3/{BUCKET}/calls/1.wav"
    link = s3.generate_presigned_url(
        "get_object",
        Params={"Bucket": BUCKET, "Key": "calls/1.wav", "ResponseContentDisposition": 'attachment; filename="call 1.wav"'},
        ExpiresIn=60,
    )

    refused = httpx.get(bare)
    assert (refused.status_code, "<Code>AccessDenied</Code>" in refused.text) == (403, True)
    got = httpx.get(link, headers={"Range": "bytes=0-3", "Origin": "https://dashboard.example"})
    assert (got.status_code, got.content) == (206, b"RIFF")
    assert got.headers["content-disposition"] == 'attachment; filename="call 1.wav"'
    assert got.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("change", [("calls", "other"), ("X-Amz-Expires=60", "X-Amz-Expires=6000")])
def test_a_link_that_was_tampered_with_is_refused(s3: Any, change: tuple[str, str]) -> None:
    link = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "calls/1.wav"}, ExpiresIn=60)
    got = httpx.get(link.replace(*change))
    assert (got.status_code, "SignatureDoesNotMatch" in got.text) == (403, True)


def test_an_expired_link_is_refused(server: Served, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime as clock

    from botocore import auth

    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    earlier = clock.datetime.now(clock.UTC) - clock.timedelta(seconds=61)
    with monkeypatch.context() as patched:
        patched.setattr(auth, "get_current_datetime", lambda *_, **__: earlier)
        link = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "k"}, ExpiresIn=60)

    got = httpx.get(link)

    assert (got.status_code, "Request has expired" in got.text) == (403, True)


def test_a_browser_may_ask_before_it_reads(server: Served) -> None:
    answer = httpx.options(f"{server.http}/s3/{BUCKET}/k", headers={"Access-Control-Request-Headers": "range"})
    assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (200, "range")


# --- digests and faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_behind_the_body_is_checked_and_returned(s3: Any, algorithm: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"hello" * 50_000, ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"]


def test_a_body_that_does_not_fit_its_digest_is_not_kept(s3: Any) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"hello", ChecksumCRC32="AAAAAA==")
    assert code_of(caught) == (400, "BadDigest")
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_an_ordered_status_comes_in_s3s_own_shape(server: Served, s3: Any) -> None:
    server.state.faults.add({"target": "s3.put", "fault": "status", "status": 503, "times": 1})
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"x" * 100_000)
    assert code_of(caught) == (503, "SlowDown")
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"x")


def test_a_dropped_read_is_seen_as_incomplete(server: Served, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=bytes(200_000))
    server.state.faults.add({"target": "s3.get", "fault": "drop", "after": 1_000, "times": 1})
    with pytest.raises(BotoCoreError):
        s3.get_object(Bucket=BUCKET, Key="k")["Body"].read()
    assert settled(server, "s3.get")


def test_a_dropped_write_keeps_nothing(server: Served, s3: Any) -> None:
    server.state.faults.add({"target": "s3.put", "fault": "drop", "after": 1_000, "times": 1})
    with pytest.raises((BotoCoreError, ClientError)):
        s3.put_object(Bucket=BUCKET, Key="k", Body=bytes(200_000))
    assert settled(server, "s3.put")
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
