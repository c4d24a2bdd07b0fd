"""What records are made of: references, envelopes, keys, and what every record says of itself."""

from __future__ import annotations

from pydantic import Field

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.vocabulary import KeyRole


class RecordRef(Document):
    """A record, named by the digest of its canonical bytes."""

    record: Digest


class CodeStamp(Document):
    """The code that decided: digests of `include/rsp` and of the dependency lock."""

    domain: Digest
    lock: Digest


class Envelope(Document):
    """A DSSE envelope (github.com/secure-systems-lab/dsse) as plain data."""

    payload: str
    payloadType: str  # noqa: N815 - the envelope's own spelling
    signatures: list[dict[str, str]]


class RecordBase(Document):
    """When, by whom and with which code a record was written."""

    at: Moment
    by: str = Field(min_length=1, description="the service or person who wrote it")
    stamp: CodeStamp


class KeyEntry(Document):
    """A public key and the only thing that it may sign."""

    keyid: str
    role: KeyRole
    holder: Identifier = Field(description="a person, a service or the run of a trainer")
    office: Identifier | None = Field(description="the officer's role in the policy")
    public: str = Field(description="PEM")
    simulated: bool


class AccountEntry(Document):
    """A person's account in Airflow and the only office that it may answer for."""

    user: str = Field(min_length=1, description="the user name in Airflow")
    holder: Identifier
    office: Identifier
    simulated: bool
