"""A store in memory, for tests that need thousands: copied in no time, lost at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from include.adapters.store import Store
from include.rsp.errors import AlreadyExists


class MemoryStore:
    """`Store` over dicts, one for each two first parts of a key, so that listing stays cheap."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.writes = 0

    @classmethod
    def copy_of(cls, other: Store) -> MemoryStore:
        """Everything that lies in another store."""
        made = cls()
        if isinstance(other, MemoryStore):
            made.buckets = {name: dict(one) for name, one in other.buckets.items()}
            return made
        for key in other.list(""):
            made.put_new(key, other.get(key) or b"")
        return made

    @property
    def uri(self) -> str:
        """No place that anything could be opened at."""
        return "memory:"

    def put_new(self, key: str, content: bytes) -> None:
        """Create an object; raises AlreadyExists when other content is there."""
        bucket = self.buckets.setdefault(_bucket(key), {})
        if bucket.setdefault(key, content) != content:
            raise AlreadyExists(f"{key} exists in {self.uri} with other content.")
        self.writes += 1

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None."""
        return self.buckets.get(_bucket(key), {}).get(key)

    def list(self, prefix: str) -> Iterator[str]:
        """Keys below the folder that the prefix names, as `DirectoryStore` lists them."""
        start = prefix.rstrip("/")
        parts = start.count("/") + 1 if start else 0
        near = [_bucket(f"{start}/x")] if parts >= 2 else list(self.buckets)
        found = [key for name in near for key in self.buckets.get(name, {})]
        yield from sorted(key for key in found if not start or key.startswith(f"{start}/"))

    def folders(self, prefix: str) -> Sequence[str]:
        """The names one level below the prefix that have something below them."""
        if "/" not in prefix:  # a bucket has two folders, or one if its keys lie in no other
            names = [one.split("/") for one, held in self.buckets.items() if held]
            return sorted({one[1] for one in names if one[0] == prefix and len(one) == 2})
        below = [key.removeprefix(f"{prefix}/") for key in self.list(prefix)]
        return sorted({key.split("/", 1)[0] for key in below if "/" in key})


def _bucket(key: str) -> str:
    """The first two folders of a key; what lies in fewer lies in the folder that it has."""
    parts = key.split("/")
    return "/".join(parts[: min(2, len(parts) - 1)])
