"""How S3 is spoken to, in one place: our own object store and django-storages must agree on every detail."""

from typing import Any

from botocore.config import Config

from providers.config import StorageConfig

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30


def client_config(config: StorageConfig) -> Config:
    """Signature version 4 always, paths instead of host names wherever the service is not AWS, bounded waits and retries."""
    return Config(  # type: ignore[no-untyped-call]  # botocore has no types
        signature_version="s3v4",
        s3={"addressing_style": "path" if config.endpoint_url else "auto"},
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": config.max_attempts, "mode": "standard"},
        proxies={},
    )


def storage_options(config: StorageConfig) -> dict[str, Any]:
    """OPTIONS of `storages.backends.s3.S3Storage` for Django's STORAGES: private files, reached by signed links."""
    return {
        "access_key": config.access_key_id,
        "secret_key": config.secret_access_key,
        "bucket_name": config.bucket,
        "region_name": config.region,
        "endpoint_url": config.endpoint_url or None,
        "client_config": client_config(config),
        "use_threads": False,  # threads cost 80 MB for nothing on one upload
        "default_acl": None,
        "querystring_auth": True,
        "file_overwrite": True,
    }
