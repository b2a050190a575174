"""Secrets and signatures, as Standard Webhooks has them: receivers check them with any of its libraries. Nothing here stores or logs."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks.webhooks import Webhook

_SECRET_BYTES = 32
_AGENT = "voiceagents-webhooks/1"


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def headers(message_id: str, at: datetime, body: str, with_secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one try, made at `at` (aware UTC). One signature for each secret: while they are rotated, either one is right."""
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in with_secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
