"""Catalogues of safeguards as an OSCAL catalog, and one of their standards as a profile."""

from __future__ import annotations

import re
from datetime import datetime

from include.rsp.canonical import Digest
from include.rsp.catalogue import Catalogue, CatalogueStandard, Requirement
from include.rsp.errors import InvalidDocument
from include.rsp.oscal_parts import (
    NS,
    Json,
    control_id,
    criterion_id,
    group_id,
    itself_id,
    line,
    metadata,
    prop,
    props,
    resource,
    statement_id,
    uuid_of,
)
from include.rsp.safeguard_plan import ORGANISATION

NIST = resource(
    "nist-sp-800-53-rev-5",
    title="NIST SP 800-53 Rev. 5",
    description="Security and Privacy Controls for Information Systems and Organizations.",
    rlinks=[{"href": "https://doi.org/10.6028/NIST.SP.800-53r5"}],
)
ANY_AGE = "none given: evidence of any age is stale"


def catalog(catalogue: Catalogue, *, digest: Digest, modified: datetime) -> Json:
    """The OSCAL catalog: a group for each standard and criterion, a control for each requirement.

    Args:
        digest: of the file that it was written from; the document's UUID follows from it.
        modified: when that was adopted, or last changed.
    """
    refers = any(row.nist for one in catalogue.standards for row in one.requirements)
    return {
        "catalog": {
            "uuid": uuid_of("catalog", digest),
            "metadata": metadata(
                catalogue.title,
                version=catalogue.version,
                modified=modified,
                said_of_it=props(
                    ("catalogue", catalogue.id), ("digest", digest), ("source", catalogue.source)
                ),
            ),
            "groups": [_standard(one) for one in catalogue.standards],
            **({"back-matter": {"resources": [NIST]}} if refers else {}),
        }
    }


def profile(
    catalogue: Catalogue, standard: str, *, digest: Digest, modified: datetime, href: str
) -> Json:
    """The OSCAL profile that selects one standard's controls.

    Args:
        href: where the catalog is found.

    Raises:
        InvalidDocument: the catalogue does not know the standard.
    """
    found = catalogue.of(standard)
    if found is None:
        raise InvalidDocument(
            f"The catalogue {catalogue.id} {catalogue.version} says nothing of the standard "
            f"{standard!r} (expected one of {[one.standard for one in catalogue.standards]}). "
            "Name one with --standard."
        )
    ids = [control_id(standard, one.id) for one in found.requirements] or [itself_id(standard)]
    return {
        "profile": {
            "uuid": uuid_of("profile", digest, standard),
            "metadata": metadata(
                f"{catalogue.title}: {standard}",
                version=catalogue.version,
                modified=modified,
                said_of_it=props(("standard", standard), ("catalogue-digest", digest)),
            ),
            "imports": [{"href": href, "include-controls": [{"with-ids": ids}]}],
            "merge": {"as-is": True},
        }
    }


def _standard(found: CatalogueStandard) -> Json:
    criteria = dict.fromkeys(one.criterion for one in found.requirements)
    groups = [_criterion(found, one) for one in criteria]
    actors = [
        {
            "id": f"{group_id(found.standard)}..actor..{one.id}",
            "name": "actor",
            "ns": NS,
            "title": line(one.id),
            "props": props(("in-scope", one.in_scope)),
            "prose": one.text,
        }
        for one in found.actors
    ]
    parts = [*([_overview(found)] if groups else []), *actors]
    body: Json = {"groups": groups} if groups else {"controls": [_placeholder(found)]}
    return {
        "id": group_id(found.standard),
        "class": "standard",
        "title": line(found.standard),
        "props": props(
            ("defined", found.defined),
            ("reapproval-days", float(found.reapproval_days)),
            ("warn-days", float(found.warn_days)),
        ),
        **({"parts": parts} if parts else {}),
        **body,
    }


def _overview(found: CatalogueStandard) -> Json:
    return {
        "id": statement_id(found.standard, None),
        "name": "overview",
        "prose": "Each control has to be shown on each surface of the kinds that it names.",
    }


def _placeholder(found: CatalogueStandard) -> Json:
    """A control that nothing satisfies: a group without any would read as one that asks nothing."""
    return {
        "id": itself_id(found.standard),
        "class": "placeholder",
        "title": line(f"{found.standard} is not defined"),
        "parts": [
            {
                "id": statement_id(found.standard, None),
                "name": "statement",
                "prose": f"Not defined, so it can never be shown to hold: {found.because}",
            }
        ],
    }


def _criterion(found: CatalogueStandard, criterion: str) -> Json:
    return {
        "id": criterion_id(found.standard, criterion),
        "class": "criterion",
        "title": line(criterion),
        "controls": [
            _control(found, one) for one in found.requirements if one.criterion == criterion
        ],
    }


def _control(found: CatalogueStandard, asked: Requirement) -> Json:
    """Whatever a requirement says stands in a property of its own name, repeated for lists."""
    family = [prop("family", asked.family, found.families[asked.family])] if asked.family else []
    kinds = [one.value for one in asked.surfaces] or [ORGANISATION]
    age = ANY_AGE if asked.max_age_days is None else f"{asked.max_age_days:g}"
    return {
        "id": control_id(found.standard, asked.id),
        "class": "requirement",
        "title": line(f"{asked.id} ({asked.clause})"),
        "props": [
            {"name": "label", "value": asked.id},
            *props(
                ("criterion", asked.criterion),
                ("clause", asked.clause),
                ("max-age-days", age),
                ("verifier", asked.verifier),
                ("probe", asked.probe),
            ),
            *family,
            *(prop("evidence-type", one) for one in asked.evidence),
            *(prop("surface-kind", one) for one in kinds),
            *(prop("nist-sp-800-53", one) for one in asked.nist),
        ],
        **({"links": [_nist(one) for one in asked.nist]} if asked.nist else {}),
        "parts": [
            {
                "id": statement_id(found.standard, asked.id),
                "name": "statement",
                "prose": asked.shown,
            }
        ],
    }


def _nist(control: str) -> Json:
    """`AC-3(2)` is `ac-3.2` in NIST's own OSCAL catalog."""
    fragment = re.sub(r"\((\d+)\)", r".\1", control).lower()
    return {
        "href": f"#{NIST['uuid']}",
        "rel": "reference",
        "resource-fragment": fragment,
        "text": f"NIST SP 800-53 Rev. 5 {control}",
    }
