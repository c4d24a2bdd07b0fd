"""The policy and suite that something is decided under, with the catalogues they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.rsp.canonical import Digest
from include.rsp.catalogue import Catalogue, CatalogueStandard
from include.rsp.errors import UnknownReference
from include.rsp.policy import Policy
from include.rsp.suite import Suite


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy and suite that a verdict was reached under."""

    policy: Policy
    suite: Suite
    catalogues: Mapping[Digest, Catalogue] = field(default_factory=dict)

    def requirements_of(self, standard_id: str) -> CatalogueStandard | None:
        """How a standard is shown to hold; None: its policy names no catalogue for it.

        Raises:
            UnknownReference: it names one that nobody has read: nothing can be shown.
        """
        named = self.policy.standard(standard_id).catalogue
        if named is None:
            return None
        if named.sha256 not in self.catalogues:
            raise UnknownReference(
                f"The catalogue {named.name} ({named.sha256}) of standard {standard_id!r} was not "
                "read. Put its file beside the policy, or into include/safeguards."
            )
        said = self.catalogues[named.sha256].of(standard_id)
        if said is None:
            raise UnknownReference(
                f"The catalogue {named.name} says nothing of the standard {standard_id!r}, which "
                "names it. Nothing can be shown by it."
            )
        return said
