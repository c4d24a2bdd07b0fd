"""What OSCAL 1.2.1 asks of a document, as far as we can say without NIST's schemas.

The schemas are not in this repository; compliance-trestle holds every export against them in
tests/live/test_trestle.py. These checks always run.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TOKEN = re.compile(r"[^\W\d][\w.\-]*")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
LINE = re.compile(r"\S(.*\S)?")
IDS = {"id", "control-id", "target-id", "role-id", "name", "class"}
MOMENTS = {"last-modified", "start", "end", "collected", "expires", "deadline"}
REQUIRED = {
    "catalog": {"uuid", "metadata"},
    "profile": {"uuid", "metadata", "imports"},
    "assessment-results": {"uuid", "metadata", "import-ap", "results"},
    "plan-of-action-and-milestones": {"uuid", "metadata", "poam-items"},
    "metadata": {"title", "last-modified", "version", "oscal-version"},
    "results": {"uuid", "title", "description", "start", "reviewed-controls"},
    "observations": {"uuid", "description", "methods", "collected"},
    "findings": {"uuid", "title", "description", "target"},
    "target": {"type", "target-id", "status"},
    "risks": {"uuid", "title", "description", "statement", "status"},
    "remediations": {"uuid", "lifecycle", "title", "description"},
    "tasks": {"uuid", "type", "title"},
    "mitigating-factors": {"uuid", "description"},
    "poam-items": {"title", "description"},
    "components": {"uuid", "type", "title", "description", "status"},
    "subjects": {"subject-uuid", "type"},
    "actors": {"type", "actor-uuid"},
    "parties": {"uuid", "type"},
    "roles": {"id", "title"},
    "props": {"name", "value"},
    "links": {"href"},
    "controls": {"id", "title"},
    "groups": {"title"},
    "parts": {"name"},
    "resources": {"uuid"},
    "rlinks": {"href"},
    "hashes": {"algorithm", "value"},
}


def nodes(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(name of the field it stands in, object) of every object in a document."""
    if isinstance(value, dict):
        yield name, value
        for key, inner in value.items():
            yield from nodes(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner, name)


def problems_of(document: dict[str, Any]) -> list[str]:
    """Everything that is wrong with a document; empty: nothing that we know of."""
    found: list[str] = []
    if len(document) != 1 or next(iter(document)) not in REQUIRED:
        return [f"the document is a {sorted(document)}"]
    for name, node in nodes(document):
        missing = REQUIRED.get(name, set()) - set(node)
        if missing:
            found.append(f"{name} lacks {sorted(missing)}: {json.dumps(node)[:80]}")
        found += _fields(name, node)
    return [*found, *_references(document)]


def _fields(name: str, node: dict[str, Any]) -> Iterator[str]:
    for key, value in node.items():
        if value in ([], None, ""):
            yield f"{name}.{key} is empty"
        if not isinstance(value, str):
            continue
        rule = None
        if key in IDS and name not in ("parties", "system-id"):
            rule = TOKEN
        elif key in MOMENTS:
            rule = MOMENT
        elif key == "uuid" or key.endswith("-uuid"):
            rule = UUID
        elif key in ("title", "value", "version"):
            rule = LINE
        if rule is not None and not rule.fullmatch(value):
            yield f"{name}.{key} is {value!r}"


def _references(document: dict[str, Any]) -> Iterator[str]:
    everything = [node for _, node in nodes(document)]
    uuids = Counter(one["uuid"] for one in everything if "uuid" in one)
    yield from (f"uuid {one} stands there {n} times" for one, n in uuids.items() if n > 1)
    ids = Counter(
        one["id"]
        for name, one in nodes(document)
        if "id" in one and name not in ("system-id", "roles")
    )
    yield from (f"id {one} stands there {n} times" for one, n in ids.items() if n > 1)
    for name, node in nodes(document):
        for key, value in node.items():
            named = [value] if key.endswith("-uuid") else value if key == "party-uuids" else []
            if key == "href" and value.startswith("#"):
                named = [value[1:]]
            yield from (f"{name}.{key} names {one}" for one in named if one not in uuids)
    resources = {one["uuid"] for name, one in nodes(document) if name == "resources"}
    linked = {one["href"][1:] for one in everything if one.get("href", "").startswith("#")}
    yield from (f"nothing refers to the resource {one}" for one in sorted(resources - linked))
