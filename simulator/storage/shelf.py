"""Objects on disk. What is named by a key appears all at once, whole, by renaming; a reader never sees half of one.

A bucket is a directory: `<digest of key>.json` says what an object is and which file under `data/` holds it; `uploads/<id>/` holds the
parts of an unfinished upload.
"""

import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from simulator.storage.answers import Refused
from simulator.storage.payload import Payload


@dataclass(frozen=True, slots=True)
class Kept:
    """An object: what it is and where its bytes are (`data`, a file name)."""

    key: str
    size_bytes: int
    etag: str
    content_type: str
    data: str
    stored_at: str
    metadata: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    version_id: str = ""
    is_marker: bool = False

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.stored_at)


@dataclass(frozen=True, slots=True)
class Upload:
    """An unfinished upload in parts; the object will be of this kind."""

    upload_id: str
    key: str
    content_type: str
    started_at: str
    metadata: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    etag: str
    size_bytes: int


class Bucket:
    """One bucket's directory. Raises `Refused` for what S3 would refuse."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def exists(self) -> bool:
        return self.root.is_dir()

    def create(self) -> None:
        for name in ("data", "uploads"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    # --- objects ---

    def find(self, key: str) -> Kept | None:
        try:
            return Kept(**json.loads(self._card(key).read_text("utf-8")))
        except FileNotFoundError:
            return None

    def path(self, kept: Kept) -> Path:
        return self.root / "data" / kept.data

    async def put(self, key: str, payload: Payload, content_type: str, metadata: dict[str, str], headers: dict[str, str]) -> Kept:
        data = await self._write(payload.pieces(), self.root / "data")
        kept = Kept(key, payload.size_bytes, payload.md5_hex, content_type, data.name, _now(), metadata, headers, payload.checksums)
        self._keep(kept)
        return kept

    def delete(self, key: str, version_id: str = "") -> None:
        """Removes the object. In a bucket that keeps versions it is hidden behind a marker, unless one version is named."""
        kept = self.find(key)
        if version_id:
            self._remove_version(key, version_id, kept)
        elif self.is_versioned:
            self._archive(kept)
            self._archive(Kept(key, 0, "", "", "", _now(), version_id=uuid4().hex, is_marker=True))
            self._card(key).unlink(missing_ok=True)
        elif kept is not None:
            self._card(key).unlink(missing_ok=True)
            self.path(kept).unlink(missing_ok=True)

    # --- versions ---

    @property
    def is_versioned(self) -> bool:
        return (self.root / "versions").is_dir()

    def keep_versions(self) -> None:
        (self.root / "versions").mkdir(exist_ok=True)

    def find_versions(self, prefix: str) -> list[tuple[Kept, bool]]:
        """Every version and marker, each with whether it is the latest of its key; newest first."""
        older = [Kept(**json.loads(card.read_text("utf-8"))) for card in (self.root / "versions").glob("*.json")]
        now = self.find_all(prefix, "")
        rows = sorted((kept for kept in [*older, *now] if kept.key.startswith(prefix)), key=lambda kept: kept.stored_at, reverse=True)
        rows.sort(key=lambda kept: kept.key)
        return [(kept, place == 0 or rows[place - 1].key != kept.key) for place, kept in enumerate(rows)]

    def _archive(self, kept: Kept | None) -> None:
        if kept is not None:
            (self.root / "versions" / f"{kept.version_id or uuid4().hex}.json").write_text(json.dumps(asdict(kept)), "utf-8")

    def _remove_version(self, key: str, version_id: str, kept: Kept | None) -> None:
        """`null` names an object of a time without versions."""
        if kept is not None and (kept.version_id or "null") == version_id:
            self._card(key).unlink(missing_ok=True)
            self.path(kept).unlink(missing_ok=True)
            return
        for card in (self.root / "versions").glob("*.json"):
            old = Kept(**json.loads(card.read_text("utf-8")))
            if old.key == key and (old.version_id or "null") == version_id:
                card.unlink(missing_ok=True)
                if old.data:
                    self.path(old).unlink(missing_ok=True)

    def find_all(self, prefix: str, after: str) -> list[Kept]:
        """Every object whose key begins with `prefix` and sorts behind `after`, in order."""
        cards = (Kept(**json.loads(card.read_text("utf-8"))) for card in self.root.glob("*.json"))
        return sorted((kept for kept in cards if kept.key.startswith(prefix) and kept.key > after), key=lambda kept: kept.key)

    # --- uploads in parts ---

    def begin_upload(self, key: str, content_type: str, metadata: dict[str, str], headers: dict[str, str]) -> Upload:
        upload = Upload(uuid4().hex, key, content_type, _now(), metadata, headers)
        place = self.root / "uploads" / upload.upload_id
        place.mkdir()
        (place / "upload.json").write_text(json.dumps(asdict(upload)), "utf-8")
        return upload

    def upload(self, upload_id: str) -> Upload:
        try:
            return Upload(**json.loads((self._uploading(upload_id) / "upload.json").read_text("utf-8")))
        except FileNotFoundError:
            raise _no_upload() from None

    def uploads(self, prefix: str) -> Sequence[Upload]:
        found = [self.upload(place.name) for place in (self.root / "uploads").iterdir()]
        return sorted((upload for upload in found if upload.key.startswith(prefix)), key=lambda upload: (upload.key, upload.started_at))

    async def put_part(self, upload_id: str, number: int, payload: Payload) -> Part:
        place = self._uploading(upload_id)
        if not place.is_dir():
            raise _no_upload()
        data = await self._write(payload.pieces(), place)
        part = Part(number, payload.md5_hex, payload.size_bytes)
        os.replace(data, place / f"{number:05d}.part")
        (place / f"{number:05d}.json").write_text(json.dumps(asdict(part)), "utf-8")
        return part

    def parts(self, upload_id: str) -> list[Part]:
        self.upload(upload_id)
        return [Part(**json.loads(card.read_text("utf-8"))) for card in sorted(self._uploading(upload_id).glob("[0-9]*.json"))]

    def complete(self, upload_id: str, wanted: Sequence[tuple[int, str]]) -> Kept:
        """Joins the parts; blocking. Every part but the last must hold 5 MiB, as S3 demands."""
        upload, place = self.upload(upload_id), self._uploading(upload_id)
        there = {part.number: part for part in self.parts(upload_id)}
        if not wanted or any(number not in there or there[number].etag != etag for number, etag in wanted):
            raise Refused(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if list(wanted) != sorted(wanted):
            raise Refused(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        if any(there[number].size_bytes < 5 << 20 for number, _ in wanted[:-1]):
            raise Refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.")
        name = uuid4().hex
        with (self.root / "data" / name).open("xb") as whole:
            for number, _ in wanted:
                with (place / f"{number:05d}.part").open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)
            size_bytes = whole.tell()
        joined = hashlib.md5(b"".join(bytes.fromhex(etag) for _, etag in wanted), usedforsecurity=False).hexdigest()
        etag = f"{joined}-{len(wanted)}"
        kept = Kept(upload.key, size_bytes, etag, upload.content_type, name, _now(), upload.metadata, upload.headers)
        self._keep(kept)
        shutil.rmtree(place, ignore_errors=True)
        return kept

    def abort(self, upload_id: str) -> None:
        self.upload(upload_id)
        shutil.rmtree(self._uploading(upload_id), ignore_errors=True)

    # --- files ---

    def _card(self, key: str) -> Path:
        return self.root / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _uploading(self, upload_id: str) -> Path:
        if not upload_id.isalnum():
            raise _no_upload()
        return self.root / "uploads" / upload_id

    def _keep(self, kept: Kept) -> None:
        before, card = self.find(kept.key), self._card(kept.key)
        if self.is_versioned:
            kept = replace(kept, version_id=uuid4().hex)
            self._archive(before)
            before = None
        draft = card.with_suffix(f".{kept.data}")
        draft.write_text(json.dumps(asdict(kept)), "utf-8")
        os.replace(draft, card)
        if before is not None:
            self.path(before).unlink(missing_ok=True)

    async def _write(self, pieces: AsyncIterator[bytes], directory: Path) -> Path:
        path = directory / uuid4().hex
        try:
            with path.open("xb") as file:
                async for piece in pieces:
                    file.write(piece)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _no_upload() -> Refused:
    return Refused(
        404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or it was aborted or completed."
    )
