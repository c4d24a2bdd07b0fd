"""Which S3 data events a CloudTrail selector records: reads, writes, of which objects.

A selector that is narrowed by anything but the bucket or a prefix of the weights counts for
nothing. Source: AWS CloudTrail API, `EventSelector` and `AdvancedEventSelector`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

READS, WRITES = "reads", "writes"
EVERYTHING = frozenset({READS, WRITES})
_KINDS = {
    "All": EVERYTHING,
    "ReadOnly": frozenset({READS}),
    "WriteOnly": frozenset({WRITES}),
}
_READ_ONLY = {"true": READS, "false": WRITES}
_OBJECT = "AWS::S3::Object"
_FIELDS = {"eventCategory", "resources.type", "resources.ARN", "readOnly"}


def recorded_by(selectors: Mapping[str, Any], objects: str) -> frozenset[str]:
    """What is surely recorded of every object whose ARN begins with `objects`.

    Args:
        selectors: the answer of GetEventSelectors.
        objects: such as `arn:aws:s3:::weights/` or `arn:aws:s3:::weights/models/`.
    """
    found: frozenset[str] = frozenset()
    for one in selectors.get("EventSelectors") or []:
        found |= _by_basic(one, objects)
    for one in selectors.get("AdvancedEventSelectors") or []:
        found |= _by_advanced(one["FieldSelectors"], objects)
    return found


def _by_basic(selector: Mapping[str, Any], objects: str) -> frozenset[str]:
    for resource in selector.get("DataResources") or []:
        if resource["Type"] == _OBJECT and _begins(resource["Values"], objects, every=True):
            return _KINDS[selector["ReadWriteType"]]
    return frozenset()


def _by_advanced(fields: list[Mapping[str, Any]], objects: str) -> frozenset[str]:
    said = {one["Field"]: {k: v for k, v in one.items() if k != "Field" and v} for one in fields}
    only_once = len(said) == len(fields)
    if not only_once or not set(said) <= _FIELDS:
        return frozenset()  # narrowed by an event's name, by who did it, or twice by one field
    if said.get("eventCategory") != {"Equals": ["Data"]}:
        return frozenset()
    if said.get("resources.type") != {"Equals": [_OBJECT]}:
        return frozenset()
    where = said.get("resources.ARN")
    if where is not None and (
        set(where) != {"StartsWith"} or not _begins(where["StartsWith"], objects, every=False)
    ):
        return frozenset()
    return _kinds(said.get("readOnly"))


def _kinds(read_only: Mapping[str, Any] | None) -> frozenset[str]:
    if read_only is None:
        return EVERYTHING
    if set(read_only) != {"Equals"}:
        return frozenset()
    return frozenset(_READ_ONLY[one] for one in read_only["Equals"])


def _begins(values: list[str], objects: str, *, every: bool) -> bool:
    """Whether a value is a beginning of all the ARNs; `every`: `arn:aws:s3` means every bucket."""
    service = ":".join(objects.split(":")[:3])  # arn:aws:s3
    bucket = objects.partition("/")[0]
    all_of_them = {service, f"{service}:::"} if every else {f"{service}:::"}
    return any(
        one in all_of_them or (one.startswith(f"{bucket}/") and objects.startswith(one))
        for one in values
    )
