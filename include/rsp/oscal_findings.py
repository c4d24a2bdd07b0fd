"""The rows of a judgement in OSCAL: a finding for each, and a risk for each that is not met."""

from __future__ import annotations

from include.rsp.canonical import iso
from include.rsp.judged_safeguards import Judged, Row
from include.rsp.oscal_observations import observation_uuid, subject
from include.rsp.oscal_parts import OWNER, Json, line, party, props, statement_id, uuid_of
from include.rsp.vocabulary import CriterionOutcome

_STATUS = {
    CriterionOutcome.MET: ("satisfied", "pass"),
    CriterionOutcome.NOT_APPLICABLE: ("satisfied", "other"),
    CriterionOutcome.NOT_MET: ("not-satisfied", "fail"),
    CriterionOutcome.STALE: ("not-satisfied", "other"),
    CriterionOutcome.MISSING: ("not-satisfied", "other"),
}


def _row_uuid(kind: str, judged: Judged, row: Row) -> str:
    return uuid_of(kind, judged.digest, *row.key, str(row.nth))


def item_uuid(judged: Judged, row: Row) -> str:
    """Of the item of a plan of action about a row."""
    return _row_uuid("poam-item", judged, row)


def row_props(row: Row) -> list[Json]:
    """What a row says of itself."""
    return props(
        ("outcome", row.outcome.value),
        ("standard", row.standard),
        ("requirement", row.requirement),
        ("surface", row.surface),
        ("clause", row.clause),
        ("owner", row.owner or "nobody is named"),
        ("evidence", row.evidence),
        ("good-until", row.good_until),
        ("interim-measure", row.measure.id if row.measure else None),
    )


def finding(judged: Judged, row: Row) -> Json:
    """Whether a requirement is satisfied on a surface, and why it is thought so."""
    state, reason = _STATUS[row.outcome]
    target: Json = {
        "type": "statement-id",
        "target-id": statement_id(row.standard, row.requirement),
        "title": line(row.name),
        "status": {"state": state, "reason": reason, "remarks": f"{row.outcome}: {row.because}"},
    }
    if row.outcome is CriterionOutcome.NOT_APPLICABLE:
        said = f"Claimed by one person, accepted by another: {row.because}"
        target["implementation-status"] = {"state": "not-applicable", "remarks": said}
    return {
        "uuid": _row_uuid("finding", judged, row),
        "title": line(row.name),
        "description": row.because,
        "props": row_props(row),
        "target": target,
        **related_observations(judged, row),
        **({} if row.satisfied else related_risks(judged, row)),
    }


def related_observations(judged: Judged, row: Row) -> Json:
    """The reference to the evidence of a row, if it has any."""
    if row.evidence is None:
        return {}
    named = {"observation-uuid": observation_uuid(judged, row.evidence)}
    return {"related-observations": [named]}


def related_risks(judged: Judged, row: Row) -> Json:
    """The reference to the risk of a row."""
    return {"related-risks": [{"risk-uuid": _row_uuid("risk", judged, row)}]}


def related_findings(judged: Judged, row: Row) -> Json:
    """The reference to the finding of a row."""
    return {"related-findings": [{"finding-uuid": _row_uuid("finding", judged, row)}]}


def risk(judged: Judged, row: Row) -> Json:
    """What follows from a row that is not met: who has to do what, and until when if that is known.

    The deadline is the end of the measures that stand in, else when its evidence lapsed.
    """
    until = judged.interim_ends if row.measure else row.good_until
    return {
        "uuid": _row_uuid("risk", judged, row),
        "title": line(f"{row.name} is {row.outcome}"),
        "description": row.because,
        "statement": f"While it is {row.outcome}, {row.standard} is not shown to hold. "
        + ("An interim measure stands in for it." if row.measure else "Nothing stands in for it."),
        "props": row_props(row),
        "status": "open",
        **_mitigated(judged, row),
        **({"deadline": iso(until)} if until else {}),
        "remediations": [_remediation(judged, row)],
        **related_observations(judged, row),
    }


def _mitigated(judged: Judged, row: Row) -> Json:
    if row.measure is None:
        return {}
    factor = {
        "uuid": _row_uuid("mitigation", judged, row),
        "description": row.measure.text,
        "props": props(("measure", row.measure.id), ("kind", row.measure.kind.value)),
        "subjects": [subject(judged, row.surface)],
    }
    return {"mitigating-factors": [factor]}


def _remediation(judged: Judged, row: Row) -> Json:
    step = next_step(row)
    who = {"role-id": OWNER, "party-uuids": [party(row.owner)["uuid"]]} if row.owner else None
    task = {
        "uuid": _row_uuid("task", judged, row),
        "type": "action",
        "title": line(f"Next step for {row.name}"),
        "description": step,
        **({"responsible-roles": [who]} if who else {}),
    }
    return {
        "uuid": _row_uuid("remediation", judged, row),
        "lifecycle": "recommendation",
        "title": line(f"Show {row.name}"),
        "description": step,
        "tasks": [task],
    }


def next_step(row: Row) -> str:
    """What brings a row that is not met to be met."""
    owner = "" if row.owner else "Name an owner under `safeguards.owners` of the suite. "
    if row.requirement is None:
        return f"{owner}Define what {row.standard} demands, or act as if it never held."
    if row.asked is None:
        return f"{owner}The rules do not know it any more: have the safeguards judged anew."
    types = " or ".join(row.asked.evidence)
    who = "somebody who does not own it" if row.asked.verifier == "independent" else "anybody"
    how = f" The probe {row.asked.probe} can collect it." if row.asked.probe else ""
    first = {
        CriterionOutcome.NOT_MET: "Correct it, then collect",
        CriterionOutcome.STALE: "Collect anew",
    }.get(row.outcome, "Collect")
    return f"{owner}{first} evidence of the type {types} on {row.surface}, signed by {who}.{how}"
