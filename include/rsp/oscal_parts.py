"""What every OSCAL document of ours is made of: names, properties, metadata (NIST OSCAL 1.2.1).

OSCAL is NIST's format for controls and their assessment (pages.nist.gov/OSCAL). Every UUID follows
from digests and names, so that the same records give the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from include.rsp.canonical import Digest, canonical_bytes, iso

OSCAL_VERSION = "1.2.1"
"""The newest that compliance-trestle 5.2.0 reads."""
SPACE = uuid.UUID("6f1d0c52-3b0e-4b8e-9a53-0d1a6c8e7f21")
"""The namespace of our UUIDs; a constant, drawn once."""
NS = "urn:redline:oscal:1"
"""Of properties and parts that OSCAL has no name for."""
OWNER, ASSESSOR = "owner", "assessor"

Json = dict[str, Any]


def uuid_of(*names: str) -> str:
    """The UUID of the thing of these names: always the same, and of no other thing."""
    return str(uuid.uuid5(SPACE, canonical_bytes(list(names)).decode()))


def line(text: str) -> str:
    """One line, as OSCAL wants titles and values: never empty, no space around it."""
    return " ".join(text.split()) or "(empty)"


def token(text: str) -> str:
    """An identifier of ours as one of OSCAL's, which starts with no digit."""
    return text if text[0].isalpha() else f"_{text}"


def group_id(standard: str) -> str:
    """Of the group of a standard's controls. No identifier of ours has a capital letter."""
    return f"S..{standard}"


def criterion_id(standard: str, criterion: str) -> str:
    """Of the group of a criterion's controls."""
    return f"C..{standard}..{criterion}"


def control_id(standard: str, requirement: str) -> str:
    """Of the control of a requirement. No identifier of ours has two dots in a row."""
    return token(f"{standard}..{requirement}")


def itself_id(standard: str) -> str:
    """Of the placeholder control of a standard that is not defined."""
    return f"{group_id(standard)}..itself"


def statement_id(standard: str, requirement: str | None) -> str:
    """Of what has to be shown; without a requirement, of what is said of the standard."""
    if requirement is None:
        return f"{group_id(standard)}..said"
    return f"{control_id(standard, requirement)}..shown"


def prop(name: str, value: str, remarks: str | None = None) -> Json:
    """A property of ours."""
    more = {"remarks": remarks} if remarks else {}
    return {"name": name, "ns": NS, "value": line(value)} | more


def props(*pairs: tuple[str, object]) -> list[Json]:
    """Properties of ours, without those of which there is nothing to say."""
    return [prop(name, said(value)) for name, value in pairs if value is not None]


def said(value: object) -> str:
    """A value as text: times as everywhere here, truth as JSON has it."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def resource(name: str, *, title: str, description: str, rlinks: Sequence[Json]) -> Json:
    """Something that a document speaks of, in its back matter."""
    return {
        "uuid": uuid_of("resource", name),
        "title": line(title),
        "description": description,
        "rlinks": list(rlinks),
    }


def stored(digest: Digest) -> Json:
    """Where a stored file is: under its digest."""
    hashes = [{"algorithm": "SHA-256", "value": digest.removeprefix("sha256:")}]
    return {"href": f"urn:redline:blob:{digest}", "hashes": hashes}


def reference(to: Json, text: str) -> Json:
    """A link to something in the back matter."""
    return {"href": f"#{to['uuid']}", "rel": "reference", "text": line(text)}


def party(name: str) -> Json:
    """Somebody who owns or collected something."""
    return {
        "uuid": uuid_of("party", name),
        "type": "organization",
        "name": line(name),
        "remarks": "A person or a team: the suite and the records do not say which.",
    }


def metadata(
    title: str,
    *,
    version: str,
    modified: datetime,
    said_of_it: Sequence[Json] = (),
    links: Sequence[Json] = (),
    parties: Iterable[str] = (),
) -> Json:
    """What every document begins with.

    Args:
        modified: from a record, never the time of writing.
        said_of_it: properties of the whole document.
        parties: who is named in it.
    """
    assessor = {
        "uuid": uuid_of("assessor"),
        "type": "organization",
        "name": "Redline",
        "remarks": "The program that judged, run by the lab whose policy it is.",
    }
    named = [party(one) for one in dict.fromkeys(parties)]
    return {
        "title": line(title),
        "last-modified": iso(modified),
        "version": line(version),
        "oscal-version": OSCAL_VERSION,
        **({"props": list(said_of_it)} if said_of_it else {}),
        **({"links": list(links)} if links else {}),
        "roles": [
            {"id": ASSESSOR, "title": "Who judged"},
            {"id": OWNER, "title": "Who has to see to it"},
        ],
        "parties": [assessor, *named],
        "responsible-parties": [{"role-id": ASSESSOR, "party-uuids": [assessor["uuid"]]}],
    }


def written(document: Json) -> str:
    """The text of a document's file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
