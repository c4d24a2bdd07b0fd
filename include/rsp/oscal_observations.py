"""Surfaces, probes and evidence in OSCAL: what results and plans of action speak about."""

from __future__ import annotations

from collections.abc import Iterator

from include.rsp.canonical import Digest, iso
from include.rsp.judged_safeguards import Judged, Row
from include.rsp.oscal_parts import OWNER, Json, line, party, props, uuid_of
from include.rsp.safeguard_evidence import PROBE, SafeguardEvidence, Shown
from include.rsp.safeguard_plan import ORGANISATION


def named_parties(judged: Judged) -> list[str]:
    """Everybody who owns something of it or stands behind evidence."""
    plan = judged.rules.suite.safeguards
    owners = [one.owner for one in judged.rows if one.owner] + [one.owner for one in plan.surfaces]
    behind = [_behind(one) for one in judged.pieces.values() if one.piece.probe is None]
    return sorted({*owners, *behind})


def _behind(shown: Shown) -> str:
    """Who signed it; where nobody did, who it says collected it."""
    return shown.by if shown.by and not shown.by.startswith(f"{PROBE} ") else shown.piece.collector


def components(judged: Judged) -> list[Json]:
    """The surfaces, and the probes that collected evidence, as components."""
    return [*_surfaces(judged), *_probes(judged)]


def _surfaces(judged: Judged) -> Iterator[Json]:
    plan = judged.rules.suite.safeguards
    listed = {one.id: one for one in plan.surfaces}
    on = [surface for one in judged.pieces.values() for surface in one.piece.surfaces]
    for name in dict.fromkeys([*listed, *(one.surface for one in judged.rows), *on]):
        surface = listed.get(name)
        text = surface.text if surface else "The suite lists no surface of this name."
        if name == ORGANISATION:
            text = "What is shown once, for the organisation as a whole."
        known = surface is not None or name == ORGANISATION
        role = (
            {"role-id": OWNER, "party-uuids": [party(surface.owner)["uuid"]]} if surface else None
        )
        yield {
            "uuid": _surface_uuid(judged, name),
            "type": "service" if name != ORGANISATION else "process-procedure",
            "title": line(name),
            "description": text,
            "props": props(("surface", name), ("kind", surface.kind.value if surface else None)),
            "status": {"state": "operational" if known else "other"},
            **({"responsible-roles": [role]} if role else {}),
        }


def _surface_uuid(judged: Judged, name: str) -> str:
    return uuid_of("surface", judged.rules.suite.id, name)


def _probe_uuid(judged: Judged, probe: str) -> str:
    return uuid_of("probe", judged.rules.suite.id, probe)


def _probes(judged: Judged) -> Iterator[Json]:
    runs = [one.piece.probe for one in judged.pieces.values() if one.piece.probe is not None]
    for ident, kind in sorted({(one.id, one.probe) for one in runs}):
        yield {
            "uuid": _probe_uuid(judged, ident),
            "type": "validation",
            "title": line(f"probe {ident}"),
            "description": f"A probe of the kind {kind} (docs/probes.md).",
            "props": props(("probe", ident), ("kind", kind)),
            "status": {"state": "operational"},
        }


def subject(judged: Judged, surface: str) -> Json:
    """A surface as what something is about."""
    return {
        "subject-uuid": _surface_uuid(judged, surface),
        "type": "component",
        "title": line(surface),
    }


def observations(judged: Judged, rows: list[Row]) -> list[Json]:
    """The evidence that decided these rows, each piece once."""
    deciding = {one.evidence: one for one in rows if one.evidence}
    return [_observation(judged, digest, row) for digest, row in deciding.items()]


def observation_uuid(judged: Judged, evidence: Digest) -> str:
    """Of what a piece of evidence shows, as this judgement sees it."""
    return uuid_of("observation", judged.digest, evidence)


def _observation(judged: Judged, digest: Digest, row: Row) -> Json:
    shown = judged.pieces[digest]
    piece = shown.piece
    probe = piece.probe
    actor = {"type": "party", "actor-uuid": party(_behind(shown))["uuid"]}
    if probe is not None:
        actor = {"type": "tool", "actor-uuid": _probe_uuid(judged, probe.id)}
    ends = [one for one in (row.good_until, piece.expires_at) if one is not None]
    return {
        "uuid": observation_uuid(judged, digest),
        "title": line(f"{piece.type} for {piece.standard}: {piece.criterion}"),
        "description": piece.statement,
        "props": props(
            ("record", digest),
            ("shows", piece.shows),
            ("collector", piece.collector),
            ("stands-behind-it", shown.by or "nobody signed"),
            ("simulated", piece.simulated),
        ),
        "methods": ["EXAMINE" if probe is None else "TEST"],
        "types": ["control-objective"],
        "origins": [{"actors": [actor]}],
        "subjects": [subject(judged, one) for one in piece.surfaces or [ORGANISATION]],
        "relevant-evidence": list(_files(digest, piece)),
        "collected": iso(piece.collected_at),
        **({"expires": iso(min(ends))} if ends else {}),
    }


def _files(digest: Digest, piece: SafeguardEvidence) -> Iterator[Json]:
    yield {"href": f"urn:redline:record:{digest}", "description": "The record in the ledger."}
    for one in piece.attachments:
        yield {
            "href": f"urn:redline:blob:{one.blob}",
            "description": line(one.name),
            "props": props(("digest", one.blob), ("bytes", one.bytes)),
        }
