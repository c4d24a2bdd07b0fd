"""Every error that Redline raises. An *outcome* (crossed, refused, inconclusive) is never one.

RedlineError
├── DomainError              the check could not be made; a retry would say the same
│   ├── InvalidDocument      a policy, suite, manifest or record does not read
│   ├── UnknownReference     something names a digest or id that nobody has
│   └── Refused              what was asked for is refused; `.code` says which rule
└── TransportError           a store, key or process did not answer; a retry may help
    ├── StoreUnavailable
    ├── AlreadyExists        a create-only write found other content under its key
    └── NotaryUnreachable

Only `include.wiring` maps these to Airflow's exceptions.
"""

from __future__ import annotations


class RedlineError(Exception):
    """Base of all errors; messages say what, got / expected, where and the next step."""


class DomainError(RedlineError):
    """The check could not be made, and trying again would not change that."""


class InvalidDocument(DomainError):  # noqa: N818 - named for what is wrong
    """A policy, suite, manifest, record or result does not read as what it should be."""


class UnknownReference(DomainError):  # noqa: N818
    """A digest or identifier is named that is not in the ledger or the store."""


class Refused(DomainError):  # noqa: N818
    """A rule forbids what was asked for; `code` names the rule in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TransportError(RedlineError):
    """Something outside did not answer; trying again may help."""


class StoreUnavailable(TransportError):  # noqa: N818
    """The evidence store could not be reached or answered with a fault."""


class AlreadyExists(TransportError):  # noqa: N818
    """A create-only write found *other* content under its key (the same content is no error)."""


class NotaryUnreachable(TransportError):  # noqa: N818
    """A record was written, but the notary has not chained it in time."""
