"""Recordings in a bucket: verified, private, repeatable, and the same for django-storages."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from botocore.exceptions import ClientError

from engine.errors import ErrorCategory, ProviderError
from providers.config import StorageConfig
from providers.storage import ObjectStore, objects, options
from providers.storage.objects import _shared_client
from tests.providers.vendors import NOWHERE, order
from tests.simulator.serving import Served, settled

SECRET = "simulator-secret"
KEY = "recordings/2026/11/sess_1.wav"


def config(server: Served, **changed: object) -> StorageConfig:
    fields = {"access_key_id": "simulator", "secret_access_key": SECRET, "endpoint_url": f"{server.http}/s3", "max_attempts": 1, **changed}
    return StorageConfig("recordings", **fields)  # type: ignore[arg-type]


@pytest.fixture
def store(vendors: Served) -> ObjectStore:
    return ObjectStore(config(vendors))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_of(tmp_path: Path, size_bytes: int) -> tuple[Path, str]:
    path = tmp_path / "recording.wav"
    path.write_bytes(os.urandom(size_bytes))
    return path, sha256(path)


def refused(work: object, *arguments: object, **named: object) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        work(*arguments, **named)  # type: ignore[operator]
    return caught.value


@pytest.mark.parametrize("size_bytes", [0, 1, 100_000, (5 << 20) + 1, 11 << 20])
def test_a_file_is_stored_whole_and_described(store: ObjectStore, tmp_path: Path, size_bytes: int) -> None:
    path, digest = file_of(tmp_path, size_bytes)

    stored = store.put_file(path, KEY, "audio/x-wav", digest)

    assert (stored.key, stored.size_bytes, stored.sha256, stored.content_type) == (KEY, size_bytes, digest, "audio/x-wav")
    assert stored.etag
    assert store.head(KEY) == stored
    assert hashlib.sha256(httpx.get(store.presigned_url(KEY, 60)).content).hexdigest() == digest


def test_the_same_file_is_not_sent_twice_and_another_replaces_it(store: ObjectStore, vendors: Served, tmp_path: Path) -> None:
    path, digest = file_of(tmp_path, 1_000)
    first = store.put_file(path, KEY, "audio/x-wav", digest)
    assert store.put_file(path, KEY, "audio/x-wav", digest) == first
    assert len(vendors.state.seen) == 1

    path, digest = file_of(tmp_path, 2_000)
    assert store.put_file(path, KEY, "audio/x-wav", digest).size_bytes == 2_000


def test_a_file_that_changed_on_disk_is_not_sent(store: ObjectStore, tmp_path: Path) -> None:
    path, digest = file_of(tmp_path, 1_000)
    path.write_bytes(b"another")
    error = refused(store.put_file, path, KEY, "audio/x-wav", digest)
    assert (error.category, error.retryable) == (ErrorCategory.BAD_REQUEST, False)
    assert store.head(KEY) is None


def test_an_object_that_is_not_what_was_sent_is_not_called_stored(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes the same key between our upload and our check."""
    path, digest = file_of(tmp_path, 1_000)
    client = store._client
    upload = client.upload_fileobj

    def overtaken(*arguments: object, **named: object) -> None:
        upload(*arguments, **named)
        client.put_object(Bucket="recordings", Key=KEY, Body=b"other")

    monkeypatch.setattr(client, "upload_fileobj", overtaken)
    error = refused(store.put_file, path, KEY, "audio/x-wav", digest)
    assert (error.category, error.retryable) == (ErrorCategory.TRUNCATED, True)


def test_nothing_there_is_none_and_deleting_it_is_no_error(store: ObjectStore) -> None:
    store.ensure_bucket()
    assert store.head(KEY) is None
    store.delete(KEY)


@pytest.mark.parametrize("region", ["us-east-1", "ap-south-1"])
def test_a_bucket_is_made_once_in_any_region(vendors: Served, tmp_path: Path, region: str) -> None:
    store = ObjectStore(config(vendors, region=region))
    store.ensure_bucket()
    store.ensure_bucket()
    path, digest = file_of(tmp_path, 10)
    store.put_file(path, KEY, "audio/x-wav", digest)
    store.delete(KEY)
    assert store.head(KEY) is None


def test_a_link_plays_names_the_file_and_expires_with_the_signature(store: ObjectStore, vendors: Served, tmp_path: Path) -> None:
    path, digest = file_of(tmp_path, 100)
    store.put_file(path, KEY, "audio/x-wav", digest)
    link = store.presigned_url(KEY, 60, filename="call — हिन्दी.wav")

    got = httpx.get(link, headers={"Range": "bytes=10-19"})
    assert (got.status_code, got.content) == (206, path.read_bytes()[10:20])
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''call%20")
    assert got.headers["content-type"] == "audio/x-wav"
    assert httpx.get(link.partition("?")[0]).status_code == 403
    assert httpx.get(link.replace("X-Amz-Expires=60", "X-Amz-Expires=61")).status_code == 403
    assert SECRET not in link


def test_a_link_goes_to_the_host_that_browsers_use(vendors: Served) -> None:
    public = ObjectStore(config(vendors, public_endpoint_url="https://files.example.test"))
    assert public.presigned_url(KEY, 60).startswith(f"https://files.example.test/recordings/{KEY}?")


def test_unfinished_uploads_are_aborted_under_their_prefix_only(store: ObjectStore) -> None:
    store.ensure_bucket()
    for key in ("sess_1/a", "sess_1/b", "sess_2/a"):
        store._client.create_multipart_upload(Bucket="recordings", Key=key)
    assert store.abort_orphans("sess_1/") == 2
    assert store.abort_orphans("sess_1/") == 0
    assert store.abort_orphans("") == 1


def test_young_uploads_are_left_alone(store: ObjectStore) -> None:
    store.ensure_bucket()
    store._client.create_multipart_upload(Bucket="recordings", Key="sess_1/a")
    assert store.abort_orphans("sess_1/", older_than_s=3600) == 0
    assert store.abort_orphans("sess_1/") == 1


def test_an_object_is_encrypted_with_our_key_and_one_that_is_not_is_sent_again(vendors: Served, store: ObjectStore, tmp_path: Path) -> None:
    path, digest = file_of(tmp_path, 6 << 20)
    assert store.put_file(path, KEY, "audio/x-wav", digest).encryption == ""
    sealed = ObjectStore(config(vendors, kms_key_id="arn:aws:kms:ap-south-1:1:key/one"))
    assert sealed.put_file(path, KEY, "audio/x-wav", digest).encryption == "aws:kms"
    headers = sealed._client.head_object(Bucket="recordings", Key=KEY)
    assert headers["SSEKMSKeyId"] == "arn:aws:kms:ap-south-1:1:key/one"


@pytest.mark.parametrize("versioned", [False, True])
def test_every_version_and_marker_of_a_key_is_deleted_and_no_other_key(
    vendors: Served, store: ObjectStore, tmp_path: Path, versioned: bool
) -> None:
    store.ensure_bucket()
    path, digest = file_of(tmp_path, 10)
    store.put_file(path, KEY, "audio/x-wav", digest)
    if versioned:
        store._client.put_bucket_versioning(Bucket="recordings", VersioningConfiguration={"Status": "Enabled"})
    for size in (20, 30):
        path, digest = file_of(tmp_path, size)
        store.put_file(path, KEY, "audio/x-wav", digest)
        store.put_file(path, f"{KEY}.other", "audio/x-wav", digest)
    store.delete(KEY)
    assert store.head(KEY) is None
    found = store.versions(KEY)
    assert [(one.is_marker, bool(one.version_id)) for one in found] == ([(False, True)] * 3 + [(True, True)] if versioned else [])
    store.delete_for_good(KEY, found)
    assert (store.versions(KEY), store.head(KEY)) == ([], None)
    assert store.head(f"{KEY}.other") is not None
    store.delete_for_good(KEY, found)


def test_what_is_left_of_a_deleted_object_is_told(store: ObjectStore, tmp_path: Path) -> None:
    store.ensure_bucket()
    path, digest = file_of(tmp_path, 10)
    store.put_file(path, KEY, "audio/x-wav", digest)
    error = refused(store.delete_for_good, KEY, [])
    assert error.retryable and "still has the object" in error.message


@pytest.mark.parametrize(
    ("status", "category", "retryable"),
    [(403, ErrorCategory.AUTHENTICATION, False), (500, ErrorCategory.SERVER, True), (503, ErrorCategory.SERVER, True)],
)
def test_a_refused_upload_says_what_it_means(
    store: ObjectStore, vendors: Served, tmp_path: Path, status: int, category: ErrorCategory, retryable: bool
) -> None:
    store.ensure_bucket()
    path, digest = file_of(tmp_path, 1_000)
    order(vendors, "s3.put", "status", status=status)
    error = refused(store.put_file, path, KEY, "audio/x-wav", digest)
    assert (error.category, error.retryable) == (category, retryable)


def test_a_wrong_clock_is_nobodys_refusal_for_ever() -> None:
    skewed = {"Error": {"Code": "RequestTimeTooSkewed"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    error = objects._refusal(ClientError(skewed, "PutObject"))
    assert error.retryable and "clock" in error.message


def test_a_wrong_clock_is_told_by_the_stores_own_where_the_refusal_has_no_words(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.ensure_bucket()
    assert store.head(KEY) is None
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: an_hour_ago.replace(tzinfo=None))
    assert not refused(store.head, KEY).retryable, "by our clock the store has no reason"
    monkeypatch.setattr(objects, "datetime", SimpleNamespace(now=lambda _zone: an_hour_ago))
    error = refused(store.head, KEY)
    assert error.retryable and "clock" in error.message


def test_a_hiccup_is_tried_again(vendors: Served, tmp_path: Path) -> None:
    path, digest = file_of(tmp_path, 1_000)
    order(vendors, "s3.put", "status", status=500, times=1)
    assert ObjectStore(config(vendors, max_attempts=3)).put_file(path, KEY, "audio/x-wav", digest).sha256 == digest


def test_a_dropped_upload_is_retryable_and_stores_nothing(store: ObjectStore, vendors: Served, tmp_path: Path) -> None:
    store.ensure_bucket()
    path, digest = file_of(tmp_path, 6 << 20)
    order(vendors, "s3.put", "drop", after=1_000)
    error = refused(store.put_file, path, KEY, "audio/x-wav", digest)
    assert error.retryable
    assert settled(vendors, "s3.put")
    vendors.state.faults.clear()
    assert store.head(KEY) is None


def test_silence_of_the_store_is_a_time_out(vendors: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "READ_TIMEOUT_S", 0.3)
    _shared_client.cache_clear()
    store = ObjectStore(config(vendors))
    store.ensure_bucket()
    path, digest = file_of(tmp_path, 1_000)
    order(vendors, "s3.put", "hang")
    error = refused(store.put_file, path, KEY, "audio/x-wav", digest)
    assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)
    _shared_client.cache_clear()


def test_a_wrong_secret_is_an_authentication_error_that_does_not_repeat_it(vendors: Served, tmp_path: Path) -> None:
    store = ObjectStore(config(vendors, secret_access_key="wrong-9876543210"))
    path, digest = file_of(tmp_path, 10)
    error = refused(store.put_file, path, KEY, "audio/x-wav", digest)
    assert (error.category, error.retryable) == (ErrorCategory.AUTHENTICATION, False)
    for shown in (str(error), repr(error), repr(store), repr(store._config)):
        assert "9876543210" not in shown


def test_nobody_there_is_a_connection_error(vendors: Served) -> None:
    error = refused(ObjectStore(config(vendors, endpoint_url=NOWHERE)).head, KEY)
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)


def test_a_large_file_goes_up_in_constant_memory(vendors: Served, tmp_path: Path) -> None:
    """In a process of its own: what the peak grows by must not depend on the file."""
    program = """
import hashlib, resource, sys
from pathlib import Path
from providers.config import StorageConfig
from providers.storage import ObjectStore
endpoint, small, large = sys.argv[1:]
store = ObjectStore(StorageConfig("recordings", "simulator", "simulator-secret", endpoint_url=endpoint))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
digest = lambda path: hashlib.file_digest(open(path, "rb"), "sha256").hexdigest()
store.put_file(Path(small), "small", "audio/x-wav", digest(small))
before = peak()
store.put_file(Path(large), "large", "audio/x-wav", digest(large))
print((peak() - before) // 1024)
"""
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(bytes(11 << 20))
    with large.open("wb") as file:
        file.truncate(120 << 20)
    arguments = [sys.executable, "-c", program, f"{vendors.http}/s3", str(small), str(large)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=100, check=True)
    assert int(done.stdout) < 20


def test_django_storages_reads_what_we_stored_with_the_same_options(vendors: Served, store: ObjectStore, tmp_path: Path) -> None:
    program = """
import sys
from django.conf import settings
settings.configure(USE_TZ=True)
from storages.backends.s3 import S3Storage
from providers.config import StorageConfig
from providers.storage import storage_options
storage = S3Storage(**storage_options(StorageConfig("recordings", "simulator", "simulator-secret", endpoint_url=sys.argv[1])))
name = sys.argv[2]
print(storage.exists(name), storage.size(name), storage.open(name).read(3).hex(), storage.url(name))
from django.core.files.base import ContentFile
print(storage.save("other.txt", ContentFile(b"kept")))
"""
    path, digest = file_of(tmp_path, 1_000)
    store.put_file(path, KEY, "audio/x-wav", digest)
    arguments = [sys.executable, "-c", program, f"{vendors.http}/s3", KEY]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    exists, size, head, url, saved = done.stdout.split()
    assert (exists, size, head, saved) == ("True", "1000", path.read_bytes()[:3].hex(), "other.txt")
    assert httpx.get(url).content == path.read_bytes()
    described = store.head("other.txt")
    assert described is not None
    assert described.size_bytes == 4
