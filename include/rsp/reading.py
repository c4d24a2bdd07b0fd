"""Reading records: from their bytes, and what they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from include.rsp.canonical import Digest, canonical_bytes
from include.rsp.errors import InvalidDocument
from include.rsp.records import Record, RecordRef
from include.rsp.results import BlobRef

_ADAPTER: TypeAdapter[Record] = TypeAdapter(Record)


def parse_record(content: bytes, *, where: str) -> Record:
    """The record in these bytes, which must be its canonical ones.

    Raises:
        InvalidDocument: not a record, or not in canonical form.
    """
    try:
        record = _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidDocument(f"{where} is not a record: {place}: {first['msg']}") from error
    if canonical_bytes(record) != content:
        raise InvalidDocument(f"{where} is not in canonical form (RFC 8785); it was edited")
    return record


def references(record: Record) -> Iterator[Digest]:
    """The digests of all records that this one names."""
    for item in _walk(record):
        if isinstance(item, RecordRef):
            yield item.record


def blobs(record: Record) -> Iterator[BlobRef]:
    """All files that this record names."""
    for item in _walk(record):
        if isinstance(item, BlobRef):
            yield item


def _walk(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _walk(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item)
