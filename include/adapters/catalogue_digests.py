"""Writes the digests of catalogues into the policies of this repository that name them."""

from __future__ import annotations

import re
from pathlib import Path

from include.adapters.catalogue_files import CATALOGUES, beside, named_by
from include.adapters.policy_files import bytes_of, read_policy
from include.rsp.canonical import digest_bytes
from include.rsp.errors import InvalidDocument
from include.rsp.policy_parts import CatalogueRef

_REFERENCE = re.compile(
    r'^(?P<head> +catalogue:\n +name: (?P<name>\S+)\n +sha256: )"?sha256:[0-9a-f]{64}"?$', re.M
)
"""A reference as the policies here write it: `name` and `sha256` each on a line of its own."""


def with_digests(path: Path, catalogues: Path = CATALOGUES) -> str:
    """The policy file's text with the present digest of every catalogue that it names.

    Raises:
        InvalidDocument: it is no policy, a catalogue has no file, or a reference is written in
            another form, so that its digest could not be replaced.
    """
    fetch = beside(catalogues)

    def present(name: str) -> str:
        return digest_bytes(fetch(CatalogueRef(name=name, sha256="sha256:" + "0" * 64)))

    def rewritten(match: re.Match[str]) -> str:
        return f'{match["head"]}"{present(match["name"])}"'

    text = _REFERENCE.sub(rewritten, bytes_of(path).decode())
    policy = read_policy(text.encode(), where=path.name)
    missed = sorted(
        {ref.name for digest, ref in named_by(policy).items() if digest != present(ref.name)}
    )
    if missed:
        raise InvalidDocument(
            f"{path.name} names {missed} in another form (expected three lines: `catalogue:`, "
            "`name: …`, `sha256: …`), so their digests cannot be replaced. Write them so."
        )
    return text
