"""Makes the recordings bucket where nobody else does: with an S3-compatible store of one's own."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from calls import queries
from engine.errors import ProviderError


class Command(BaseCommand):
    help = "Creates the recordings bucket if AWS_S3_ENDPOINT_URL names a store of our own and the bucket is missing there."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.AWS_S3_ENDPOINT_URL:
            return  # at AWS a bucket is made by whoever owns the account, with their rules on it
        try:
            queries.storage().ensure_bucket()
        except ProviderError as error:
            # Not fatal: calls work without it, and the upload job says the same again and waits.
            self.stderr.write(f"The recordings bucket {settings.AWS_S3_BUCKET} is not ready: {error}. Recordings wait on disk until it is.")
