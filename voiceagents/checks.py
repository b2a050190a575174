"""System checks with ids, run by `manage.py check --deploy` and before every `make run`."""

import shutil
import tempfile
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from voiceagents import env, preflight


@register(Tags.security, deploy=True)
def environment_is_complete(**_: Any) -> list[CheckMessage]:
    return [Error(problem, id="voiceagents.E001") for problem in preflight.problems(env.load())]


@register(Tags.security, deploy=True)
def secret_key_is_ours(**_: Any) -> list[CheckMessage]:
    if settings.SECRET_KEY.startswith("not-a-secret"):
        return [Error("SECRET_KEY is not set: it signs log-ins and media tokens. Set a long random one.", id="voiceagents.E002")]
    return []


@register(Tags.security, deploy=True)
def secrets_have_a_key_of_their_own(**_: Any) -> list[CheckMessage]:
    if settings.FIELD_KEYS:
        return []
    message = "FIELD_KEYS is not set: operators' secrets are encrypted with a key made from SECRET_KEY, and changing that loses them."
    hint = "Set FIELD_KEYS=2026:<64 hex digits> (openssl rand -hex 32), then run manage.py reencrypt_secrets."
    return [Warning(message, hint=hint, id="voiceagents.W002")]


@register(deploy=True)
def media_is_encrypted(**_: Any) -> list[CheckMessage]:
    if settings.MEDIA_BASE_URL.startswith("ws://") and "127.0.0.1" not in settings.MEDIA_BASE_URL:
        return [Warning("MEDIA_BASE_URL is ws://: callers' audio would cross the network in the clear. Use wss://.", id="voiceagents.W001")]
    return []


@register(deploy=True)
def deliveries_can_be_spooled(**_: Any) -> list[CheckMessage]:
    """While Postgres is away the only copy of a delivery is on this disk."""
    directory = settings.WEBHOOK_SPOOL_DIR
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"x")
        free = shutil.disk_usage(directory).free
    except OSError as error:
        message = f"WEBHOOK_SPOOL_DIR={directory} cannot be written ({error.strerror}): deliveries would be lost while Postgres is away."
        return [Error(message, hint="Make it a directory of the user that runs web and worker.", id="voiceagents.E003")]
    if free < settings.WEBHOOK_SPOOL_MAX_BYTES:
        message = (
            f"WEBHOOK_SPOOL_DIR={directory} has {free} bytes free, less than WEBHOOK_SPOOL_MAX_BYTES={settings.WEBHOOK_SPOOL_MAX_BYTES}."
        )
        return [Warning(message, hint="Free some space, or lower WEBHOOK_SPOOL_MAX_BYTES.", id="voiceagents.W003")]
    return []
