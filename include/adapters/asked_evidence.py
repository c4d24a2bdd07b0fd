"""Whether evidence is asked for at all, so that a slip of the pen shows before it is recorded."""

from __future__ import annotations

from collections.abc import Sequence

from include.adapters.probing import kinds
from include.rsp.catalogue import Requirement, default_requirement
from include.rsp.errors import InvalidDocument
from include.rsp.interim import INTERIM
from include.rsp.rules import Rules
from include.rsp.safeguards import surfaces_of


def asked_of(rules: Rules) -> dict[tuple[str, str], Requirement]:
    """By (standard, requirement), everything that the rules ask to be shown."""
    found: dict[tuple[str, str], Requirement] = {}
    for standard in rules.policy.standards:
        said = rules.requirements_of(standard.id)
        rows = said.requirements if said else [default_requirement(x) for x in standard.criteria]
        found |= {(standard.id, row.id): row for row in rows}
    for document in rules.policy.documents:
        if document.sections:
            criteria = rules.policy.document(document.id).criteria
            found |= {(document.id, one.id): default_requirement(one) for one in criteria}
    return found


def check_asked(
    rules: Rules, standard: str, requirement: str, type: str, surfaces: Sequence[str]
) -> None:
    """Refuse evidence that could never count.

    Raises:
        InvalidDocument: nobody asks for it, not of that type, or not on those surfaces.
    """
    if standard == INTERIM:
        return  # a plan of measures says what it asks for
    law, asked = rules.policy, asked_of(rules)
    if (standard, requirement) not in asked:
        near = sorted(one for one in asked if one[0] == standard) or sorted(asked)
        raise InvalidDocument(
            f"{law.id} {law.version} asks for no evidence for {standard!r}, {requirement!r} "
            f"(expected standard and requirement of one of {near}). Nothing was written."
        )
    wanted = asked[standard, requirement]
    if type not in wanted.evidence:
        raise InvalidDocument(
            f"{standard}, {requirement} accepts no evidence {type!r} (expected one of "
            f"{wanted.evidence}). Nothing was written."
        )
    known = [one for one, problem in surfaces_of(wanted, rules.suite.safeguards) if not problem]
    strange = sorted(set(surfaces or ["organisation"]) - set(known))
    if strange:
        raise InvalidDocument(
            f"{standard}, {requirement} is shown on {known}, not on {strange}. Name the surface "
            "with --surface; nothing was written."
        )


def check_probes(rules: Rules) -> None:
    """Refuse a suite whose probes could show nothing.

    Raises:
        InvalidDocument: a kind of probe that is not known here, or evidence that nobody asks for.
    """
    known = kinds()
    for one in rules.suite.safeguards.probes:
        if one.probe not in known:
            raise InvalidDocument(
                f"Probe {one.id!r} of the suite is a {one.probe!r} (expected one of "
                f"{sorted(known)}). Correct the suite, or install the package that has it."
            )
        try:
            check_asked(rules, one.standard, one.requirement, one.type, one.surfaces)
        except InvalidDocument as error:
            raise InvalidDocument(f"Probe {one.id!r} of the suite: {error}") from error
