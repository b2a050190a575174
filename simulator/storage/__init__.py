"""S3 as far as a recording store needs it: path style, Signature Version 4 checked, objects on disk, never a whole one in memory."""

from simulator.storage.doors import routes
from simulator.storage.settings import StorageSettings

__all__ = ["StorageSettings", "routes"]
