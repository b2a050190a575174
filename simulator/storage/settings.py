"""How the fake S3 behaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_KEYS: Mapping[str, str] = MappingProxyType({"simulator": "simulator-secret"})


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """`keys`: access key id -> secret. `creates_buckets`: the first write into an unknown bucket creates it."""

    keys: Mapping[str, str] = field(default_factory=lambda: _KEYS)
    creates_buckets: bool = True
