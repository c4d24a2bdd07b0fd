"""Catalogues of safeguards as YAML files (`include/safeguards`) and as stored bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from include.adapters.asked_evidence import check_probes
from include.adapters.policy_files import INCLUDE, bytes_of, read_document, read_together
from include.adapters.store import Store, put_blob
from include.rsp.canonical import Digest, digest_bytes
from include.rsp.catalogue import Catalogue, problems_with
from include.rsp.errors import InvalidDocument
from include.rsp.policy import Policy
from include.rsp.policy_parts import CatalogueRef
from include.rsp.rules import Rules

CATALOGUES = INCLUDE / "safeguards"
Fetch = Callable[[CatalogueRef], bytes]


def read_catalogue(content: bytes, *, where: str) -> Catalogue:
    """The catalogue in these bytes; raises InvalidDocument with every wrong field and its line."""
    return read_document(Catalogue, content, where=where, kind="catalogue")


def named_by(policy: Policy) -> dict[Digest, CatalogueRef]:
    """The catalogues that a policy's standards name, by digest."""
    return {one.catalogue.sha256: one.catalogue for one in policy.standards if one.catalogue}


def catalogues_of(policy: Policy, fetch: Fetch) -> dict[Digest, Catalogue]:
    """The catalogues that a policy names, by digest.

    Raises:
        InvalidDocument: one is not there, is another file than the policy names, does not read, or
            does not fit the policy's standards.
    """
    found = {}
    for digest, ref in named_by(policy).items():
        content = fetch(ref)
        if digest_bytes(content) != digest:
            raise InvalidDocument(
                f"The catalogue {ref.name!r} has the digest {digest_bytes(content)} (expected "
                f"{digest}, which {policy.id} {policy.version} names). Adopt a policy that names "
                "the changed one; `make generate` writes its digest into the policies of this "
                "repository."
            )
        found[digest] = read_catalogue(content, where=f"catalogue {ref.name}")
        standards = [one for one in policy.standards if one.catalogue == ref]
        problems = problems_with(found[digest], standards)
        if problems:
            raise InvalidDocument(f"{'; '.join(problems)}. Correct the catalogue or the policy.")
    return found


def beside(*folders: Path) -> Fetch:
    """Reads a catalogue from the first of the folders that has its file, else from the library."""

    def fetch(ref: CatalogueRef) -> bytes:
        for folder in (*folders, CATALOGUES):
            path = folder / f"{ref.name}.yaml"
            if path.is_file():
                return bytes_of(path)
        known = sorted(path.stem for path in CATALOGUES.glob("*.yaml"))
        raise InvalidDocument(
            f"No catalogue {ref.name!r} (expected a file {ref.name}.yaml beside the policy, or one "
            f"of {known}). Put it there; without it nothing can be shown."
        )

    return fetch


def store_catalogues(store: Store, policy: Policy, fetch: Fetch) -> None:
    """Store the catalogues that a policy names, so that everybody reads the same ones.

    Raises:
        InvalidDocument: like `catalogues_of`; nothing was stored.
    """
    catalogues_of(policy, fetch)
    for ref in named_by(policy).values():
        put_blob(store, fetch(ref), name=f"{ref.name}.catalogue.yaml")


def read_rules(policy: Path, suite: Path) -> Rules:
    """A policy and a suite from their files, with the catalogues beside them or in the library.

    Raises:
        InvalidDocument: one cannot be read, they cannot decide together, or a probe of the suite
            could show nothing.
    """
    law, added = read_together(policy, suite)
    rules = Rules(law, added, catalogues_of(law, beside(policy.parent)))
    check_probes(rules)
    return rules
