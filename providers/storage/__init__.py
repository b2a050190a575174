"""Object storage: any S3 service, for recordings that are private, verified and never held in memory."""

from providers.storage.objects import ObjectStore, Removed, StoredObject
from providers.storage.options import storage_options

__all__ = ["ObjectStore", "Removed", "StoredObject", "storage_options"]
