"""Proposals of another policy version: a small YAML file that names a policy and a suite."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

from pydantic import Field

from include.adapters.catalogue_files import Fetch, beside
from include.adapters.policy_files import read_document
from include.rsp.canonical import Document, Moment, digest_bytes
from include.rsp.errors import InvalidDocument
from include.rsp.policy_parts import CatalogueRef

ENDING = ".proposal.yaml"


class ProposalFile(Document):
    """What a proposer writes. Files are named by what they are called beside this one, or by an
    `s3://` address.
    """

    policy: str = Field(min_length=1)
    suite: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    changelog: str = Field(min_length=1)
    effective_at: Moment = Field(description="with its offset; the earliest time of effect")


@dataclass(frozen=True, slots=True)
class ProposedFiles:
    """A proposal with the bytes of the files that it names."""

    name: str
    file: ProposalFile
    policy: bytes
    suite: bytes
    catalogues: Fetch = field(default_factory=beside)


def waiting_proposals(folder: Path) -> list[str]:
    """The proposals that lie in a folder, in the order of their names."""
    return sorted(str(path) for path in folder.glob(f"*{ENDING}") if path.is_file())


def subject_of(address: str) -> str:
    """Under which a refusal of just this content, with the files it names, is recorded."""
    content = [read_address(address)]
    with contextlib.suppress(InvalidDocument):
        file = read_document(ProposalFile, content[0], where=address, kind="proposal")
        for named in (file.policy, file.suite):
            content.append(read_address(_beside(address, named)))
    digests = "".join(digest_bytes(one) for one in content)
    return f"proposal {Path(address).name} {digest_bytes(digests.encode())}"


def read_proposal(address: str) -> ProposedFiles:
    """The proposal at a path, a `file://` or an `s3://` address, with its files.

    Raises:
        InvalidDocument: it or a file that it names cannot be read, or is no proposal.
    """
    content = read_address(address)
    file = read_document(ProposalFile, content, where=address, kind="proposal")
    return ProposedFiles(
        name=Path(address).name.removesuffix(ENDING),
        file=file,
        policy=read_address(_beside(address, file.policy)),
        suite=read_address(_beside(address, file.suite)),
        catalogues=_beside_or_library(address),
    )


def _beside_or_library(address: str) -> Fetch:
    """Reads a catalogue that lies beside the proposal, else one of the library."""

    def fetch(ref: CatalogueRef) -> bytes:
        with contextlib.suppress(InvalidDocument):
            return read_address(_beside(address, f"{ref.name}.yaml"))
        return beside()(ref)

    return fetch


def _beside(address: str, named: str) -> str:
    if urlparse(named).scheme == "s3":
        return named
    if Path(named).name != named:
        raise InvalidDocument(
            f"{address} names {named!r} (expected the name of a file beside it, or an s3:// "
            "address). Lay the file beside the proposal."
        )
    head, _, _ = address.rpartition("/")
    return f"{head}/{named}" if head else named


def read_address(address: str) -> bytes:
    """The bytes at a path, a `file://` or an `s3://` address; raises InvalidDocument."""
    parsed = urlparse(address)
    if parsed.scheme == "s3":
        from include.adapters.store_s3 import S3Store

        content = S3Store.from_uri(f"s3://{parsed.netloc}").get(parsed.path.lstrip("/"))
        if content is None:
            raise InvalidDocument(f"Nothing is at {address}. Correct the address.")
        return content
    if parsed.scheme not in ("", "file"):
        raise InvalidDocument(f"{address!r} is no path, file:// or s3:// address.")
    try:
        path = Path(parsed.path if parsed.scheme else address)
        if path.exists() and not path.is_file():
            raise InvalidDocument(f"{address} is no file. Correct the address.")
        return path.read_bytes()
    except OSError as error:
        raise InvalidDocument(f"{address} cannot be read: {error.strerror}.") from error
