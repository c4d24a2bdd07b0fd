"""A judgement of safeguards as OSCAL assessment results, and what it leaves open as a POA&M."""

from __future__ import annotations

from include.rsp.canonical import iso
from include.rsp.interim import INTERIM
from include.rsp.judged_safeguards import Judged, Row
from include.rsp.oscal_findings import (
    finding,
    item_uuid,
    next_step,
    related_findings,
    related_observations,
    related_risks,
    risk,
    row_props,
)
from include.rsp.oscal_observations import components, named_parties, observations
from include.rsp.oscal_parts import (
    NS,
    Json,
    control_id,
    itself_id,
    line,
    metadata,
    props,
    reference,
    resource,
    statement_id,
    stored,
    uuid_of,
)

NO_PLAN = (
    "No OSCAL assessment plan exists. What was to be assessed, where and how stands in the lab's "
    "policy, in the catalogues that it names, and in the suite; these are their digests."
)


def assessment_results(judged: Judged) -> Json:
    """The OSCAL assessment results of a judgement: one finding for each row of it."""
    plan = _plan(judged)
    files = _files(judged)
    return {
        "assessment-results": {
            "uuid": uuid_of("results", judged.digest, *_standards(judged)),
            "metadata": _metadata(judged, f"Safeguards of {judged.checkpoint.location}", files),
            "import-ap": {"href": f"#{plan['uuid']}", "remarks": NO_PLAN},
            **_objectives(judged),
            "results": [_result(judged)],
            "back-matter": {"resources": [plan, *files]},
        }
    }


def plan_of_action(judged: Judged) -> Json | None:
    """The OSCAL plan of action and milestones; None: nothing is open, and OSCAL has no empty one.

    A row that an interim measure stands in for is open as well.
    """
    if not judged.open:
        return None
    files = _files(judged)
    title = f"What is not met of the safeguards of {judged.checkpoint.location}"
    return {
        "plan-of-action-and-milestones": {
            "uuid": uuid_of("poam", judged.digest, *_standards(judged)),
            "metadata": _metadata(judged, title, files),
            "system-id": {
                "identifier-type": "urn:redline:checkpoint",
                "id": line(judged.checkpoint.location),
            },
            "local-definitions": {"components": components(judged)},
            **_some("observations", observations(judged, judged.open)),
            "risks": [risk(judged, one) for one in judged.open],
            "findings": [finding(judged, one) for one in judged.open],
            "poam-items": [_item(judged, one) for one in judged.open],
            "back-matter": {"resources": files},
        }
    }


def _item(judged: Judged, row: Row) -> Json:
    return {
        "uuid": item_uuid(judged, row),
        "title": line(f"{row.name} is {row.outcome}"),
        "description": f"{row.because}\n\nNext step: {next_step(row)}",
        "props": row_props(row),
        **related_findings(judged, row),
        **related_observations(judged, row),
        **related_risks(judged, row),
    }


def _result(judged: Judged) -> Json:
    record = judged.record
    times = [one.piece.collected_at for one in judged.pieces.values()]
    holds = "hold" if all(one.holds for one in judged.standards) else "do not hold"
    stand = " Interim measures stand in." if record.holds and judged.interim else ""
    return {
        "uuid": uuid_of("result", judged.digest, *_standards(judged)),
        "title": line(f"Judgement of {judged.checkpoint.location}"),
        "description": f"The standards {', '.join(_standards(judged))} {holds}.{stand}",
        "start": iso(min([*times, record.at])),
        "end": iso(record.at),
        "props": props(
            ("judgement", judged.digest),
            ("verdict", record.verdict.record),
            ("holds", record.holds),
            ("interim", record.interim.record if record.interim else None),
            ("good-until", judged.good_until()),
            ("ledger-index", record.ledger_index),
        ),
        "local-definitions": {"components": components(judged)},
        "reviewed-controls": {"control-selections": [_selection(judged)]},
        **_some("observations", observations(judged, judged.rows)),
        **_some("risks", [risk(judged, one) for one in judged.open]),
        **_some("findings", [finding(judged, one) for one in judged.rows]),
    }


def _some(name: str, items: list[Json]) -> Json:
    """OSCAL has no empty lists."""
    return {name: items} if items else {}


def _selection(judged: Judged) -> Json:
    """The controls that were judged; of a standard that has none, its placeholder."""
    named = dict.fromkeys(
        control_id(standard.standard, row.requirement)
        if row.requirement
        else itself_id(standard.standard)
        for standard in judged.standards
        for row in judged.rows
        if row.standard == standard.standard and (row.requirement or not standard.criteria)
    )
    return {"include-controls": [{"control-id": one} for one in named]}


def _objectives(judged: Judged) -> Json:
    """Interim measures stand in no catalog, so what they ask for is said here."""
    measured = {
        row.requirement: row for row in judged.rows if row.standard == INTERIM and row.requirement
    }
    objectives = [
        {
            "control-id": control_id(INTERIM, name),
            "parts": [
                {
                    "id": statement_id(INTERIM, name),
                    "name": "measure",
                    "ns": NS,
                    "prose": row.asked.shown if row.asked else row.because,
                }
            ],
        }
        for name, row in measured.items()
    ]
    return {"local-definitions": {"objectives-and-methods": objectives}} if objectives else {}


def _standards(judged: Judged) -> list[str]:
    return [one.standard for one in judged.standards]


def _metadata(judged: Judged, title: str, files: list[Json]) -> Json:
    return metadata(
        title,
        version=judged.digest,
        modified=judged.record.at,
        said_of_it=props(
            ("checkpoint", judged.checkpoint.digest),
            ("run", judged.run_id),
            ("judgement", judged.digest),
            ("simulated", judged.simulated),
        ),
        links=[reference(one, one["title"]) for one in files],
        parties=named_parties(judged),
    )


def _plan(judged: Judged) -> Json:
    """What stands where an OSCAL assessment plan would."""
    law, suite = judged.rules.policy, judged.rules.suite
    files = [judged.policy, judged.suite, *judged.rules.catalogues]
    return resource(
        f"plan {' '.join(files)}",
        title=f"{law.id} {law.version} with the suite {suite.id} {suite.version}",
        description=NO_PLAN,
        rlinks=[stored(one) for one in files],
    )


def _files(judged: Judged) -> list[Json]:
    """The files that say what was to be assessed, by their digests."""
    law, suite = judged.rules.policy, judged.rules.suite
    named = [
        ("policy", f"Policy {law.id} {law.version}", judged.policy),
        ("suite", f"Suite {suite.id} {suite.version}", judged.suite),
        *(
            ("catalogue", f"Catalogue {one.id} {one.version}", digest)
            for digest, one in judged.rules.catalogues.items()
        ),
    ]
    return [
        resource(
            digest,
            title=title,
            description=f"The {kind}'s file, by its digest.",
            rlinks=[stored(digest)],
        )
        for kind, title, digest in named
    ]
