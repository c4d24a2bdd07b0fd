"""The evidence store: create-only objects under keys (DESIGN §8).

Three operations on a local directory or on S3. Nothing is ever overwritten or deleted; writing
the same content again is no error, so that a crashed writer simply writes again.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from include.rsp.canonical import Digest, digest_bytes
from include.rsp.errors import AlreadyExists, InvalidDocument, StoreUnavailable
from include.rsp.results import BlobRef


class Store(Protocol):
    """What every part of Redline needs of a store."""

    @property
    def uri(self) -> str:
        """Where it is, for people and for `open_store`."""
        ...

    def put_new(self, key: str, content: bytes) -> None:
        """Create an object.

        Raises:
            AlreadyExists: other content is there (the same content is no error).
            StoreUnavailable: the store did not answer.
        """
        ...

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None when there is none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """All keys that begin with the prefix, in order of their text."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """The names one level below the prefix that have something below them, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A key whose object was deleted or written more than once."""

    key: str
    what: str


@runtime_checkable
class KeepsVersions(Protocol):
    """A store that remembers what was deleted or written over."""

    def rewritten(self) -> Iterator[Rewritten]:
        """Every key that was deleted or has more than one version, in order."""
        ...


class DirectoryStore:
    """A store in a local directory; objects appear whole or not at all."""

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        """`durable=False` does not wait for the disk: for stores that may be lost."""
        self.root = root
        self.durable = durable

    @property
    def uri(self) -> str:
        """The directory's path."""
        return str(self.root)

    def put_new(self, key: str, content: bytes) -> None:
        """Write beside, flush to disk, then link into place: a crash leaves no half object."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                if self.durable:
                    os.fsync(file.fileno())
            try:
                os.link(beside, path)
            finally:
                beside.unlink()
        except FileExistsError:
            if self.get(key) != content:
                raise AlreadyExists(f"{key} exists in {self.uri} with other content.") from None
        except OSError as error:
            raise StoreUnavailable(f"Could not write {key} to {self.uri}: {error}") from error

    def get(self, key: str) -> bytes | None:
        """The file's bytes, or None."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            return None
        except OSError as error:
            raise StoreUnavailable(f"Could not read {key} from {self.uri}: {error}") from error

    def list(self, prefix: str) -> Iterator[str]:
        """Keys below the directory that the prefix names."""
        folder = self._path(prefix) if prefix else self.root
        if not self.root.is_dir():
            raise StoreUnavailable(f"The store {self.uri} is not there.")
        found = []
        for parent, _, names in os.walk(folder):
            base = Path(parent).relative_to(self.root).as_posix()
            start = "" if base == "." else f"{base}/"
            found += [start + name for name in names if not name.startswith(".")]
        yield from sorted(found)

    def folders(self, prefix: str) -> Sequence[str]:
        """The folders in the directory that the prefix names."""
        if not self.root.is_dir():
            raise StoreUnavailable(f"The store {self.uri} is not there.")
        try:
            with os.scandir(self._path(prefix)) as found:
                return sorted(one.name for one in found if one.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreUnavailable(f"Could not list {prefix} in {self.uri}: {error}") from error

    def _path(self, key: str) -> Path:
        parts = key.rstrip("/").split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise InvalidDocument(f"{key!r} is no key (expected names joined by '/')")
        return self.root.joinpath(*parts)


def open_store(uri: str) -> Store:
    """The store at a path or at `s3://bucket/prefix`."""
    if uri.startswith("s3://"):
        from include.adapters.store_s3 import S3Store

        return S3Store.from_uri(uri)
    return DirectoryStore(Path(uri))


def blob_key(digest: Digest) -> str:
    """Where a stored file is."""
    return "blobs/" + digest.removeprefix("sha256:")


def put_blob(store: Store, content: bytes, *, name: str) -> BlobRef:
    """Store a file under the digest of its bytes."""
    digest = digest_bytes(content)
    store.put_new(blob_key(digest), content)
    return BlobRef(blob=digest, bytes=len(content), name=name)


def get_blob(store: Store, digest: Digest) -> bytes:
    """A stored file, checked against its digest.

    Raises:
        InvalidDocument: it is missing or was changed.
    """
    content = store.get(blob_key(digest))
    if content is None:
        raise InvalidDocument(f"File {digest} is not in the store {store.uri}.")
    if digest_bytes(content) != digest:
        raise InvalidDocument(f"File {digest} in {store.uri} was changed: {digest_bytes(content)}.")
    return content
