"""All that a policy asks to be shown, as one catalogue: its standards and its documents.

Where the policy names a catalogue for a standard, its requirements stand here; where it names
none, the policy's own criteria do. So whatever a judgement speaks of has its place in it.
"""

from __future__ import annotations

from include.rsp.catalogue import (
    Catalogue,
    CatalogueStandard,
    Requirement,
    default_requirement,
)
from include.rsp.policy_parts import Standard
from include.rsp.rules import Rules

UNWRITTEN = "the policy has no criteria for it"


def policy_catalogue(rules: Rules) -> Catalogue:
    """The catalogue; the shorter of two ages counts, as it does in a judgement.

    Raises:
        UnknownReference: the policy names a catalogue that nobody has read.
    """
    policy = rules.policy
    taken = {one.id for one in policy.standards}
    papers = [policy.document(one.id) for one in policy.documents if one.id not in taken]
    return Catalogue(
        id=policy.id,
        version=policy.version,
        title=f"Safeguards of {policy.publisher}, {policy.id} {policy.version}",
        source=policy.source or policy.publisher,
        standards=[
            *(_standard(one, rules.requirements_of(one.id)) for one in policy.standards),
            *(_standard(one, None) for one in papers),
        ],
    )


def _standard(standard: Standard, said: CatalogueStandard | None) -> CatalogueStandard:
    if said is None:
        return CatalogueStandard(
            standard=standard.id,
            defined=bool(standard.criteria),
            because=None if standard.criteria else UNWRITTEN,
            requirements=[default_requirement(one) for one in standard.criteria],
        )
    ages = {one.id: one.max_age_days for one in standard.criteria}
    required = [
        one.model_copy(update={"max_age_days": _shorter(one, ages.get(one.criterion))})
        for one in said.requirements
    ]
    return said.model_copy(update={"requirements": required})


def _shorter(requirement: Requirement, allowed: float | None) -> float | None:
    """Where either gives no age, any is too old."""
    if requirement.max_age_days is None or allowed is None:
        return None
    return min(requirement.max_age_days, allowed)
