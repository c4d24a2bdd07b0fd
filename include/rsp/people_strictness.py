"""In which ways people have less to say, or holds ask less, under one policy than another."""

from __future__ import annotations

from collections.abc import Iterator

from include.rsp.people_parts import HoldRule, Response, SignOff
from include.rsp.policy import Policy


def people_loosenings(before: Policy, after: Policy) -> Iterator[str]:
    """Every way in which `after` is looser than `before`, in words."""
    yield from _sign_off(before.sign_off, after.sign_off)
    yield from _hold(before.hold, after.hold)
    yield from _responses(before, after)
    more = sorted(
        set(after.machine_determination.outcomes) - set(before.machine_determination.outcomes)
    )
    if more:
        yield f"a machine may now determine {', '.join(more)}"
    pairs = {
        "sign_off.answer_within_hours": (before.sign_off, after.sign_off),
        "hold.acknowledge_within_seconds": (before.hold, after.hold),
        "hold.verify_after_seconds": (before.hold, after.hold),
        "authority.permit_days": (before.authority, after.authority),
        "authority.lease_seconds": (before.authority, after.authority),
        "authority.reassess_days": (before.authority, after.authority),
    }
    for name, (old, new) in pairs.items():
        field = name.split(".")[1]
        if getattr(new, field) > getattr(old, field):
            yield f"{field}: {getattr(old, field)} → {getattr(new, field)}"


def _sign_off(old: SignOff, new: SignOff) -> Iterator[str]:
    gone = sorted(set(old.roles) - set(new.roles))
    if gone:
        yield f"no longer signed by {', '.join(gone)}"
    if new.needed < old.needed:
        yield f"signatures needed: {old.needed} → {new.needed}"
    added = sorted(set(new.roles) - set(old.roles))
    if added and new.needed < len(new.roles):
        yield f"{', '.join(added)} may now sign in place of another office"
    if old.second_line.office != new.second_line.office:
        yield (
            f"the second line is {new.second_line.office} (was {old.second_line.office}): people "
            "must compare"
        )
    if new.second_line.answer_within_hours > old.second_line.answer_within_hours:
        yield "the second line may take longer to answer"
    if "airflow" in new.accepts and "airflow" not in old.accepts:
        yield "Airflow's word is now enough for who answered"
    overruled = set(new.below_recommendation.statuses if new.below_recommendation else [])
    overruled -= set(old.below_recommendation.statuses if old.below_recommendation else [])
    if overruled:
        yield f"officers may now overrule a red line that is {', '.join(sorted(overruled))}"
    if old.remind_after_hours and (new.remind_after_hours or 1e9) > old.remind_after_hours:
        yield "signers are reminded later, or never"
    if set(old.escalate_to) - set(new.escalate_to):
        yield "fewer are told when nobody signs"


def _hold(old: HoldRule, new: HoldRule) -> Iterator[str]:
    gone = [one.value for one in old.scopes if one not in new.scopes]
    if gone:
        yield f"a verdict no longer stops {', '.join(gone)}"
    more = [one.value for one in new.resume_when if one not in old.resume_when]
    if more:
        yield f"a hold may now be released on {', '.join(more)}"
    for rung in old.escalation:
        told = {
            role
            for one in new.escalation
            if one.after_seconds <= rung.after_seconds
            for role in one.to
        }
        late = sorted(set(rung.to) - told)
        if late:
            yield f"{', '.join(late)} told later than {rung.after_seconds:g} s after a hold"


def _responses(before: Policy, after: Policy) -> Iterator[str]:
    now = {one.id: one for one in after.responses}
    for old in before.responses:
        if old.id not in now:
            yield f"response {old.id} is gone"
            continue
        yield from _response(old, now[old.id])
    known = {one.id for one in before.responses}
    for new in after.responses:
        if new.id not in known and new.resume:
            yield f"response {new.id} is new, and a hold ends otherwise by it: people must compare"


def _response(old: Response, new: Response) -> Iterator[str]:
    for field in ("actions", "people", "resume"):
        gone = sorted(set(getattr(old, field)) - set(getattr(new, field)))
        if gone:
            yield f"response {old.id}: {field} without {', '.join(gone)}"
    if new.resume and not old.resume:
        yield f"response {old.id}: a hold now ends by {', '.join(new.resume)}: people must compare"
    if (old.kind, old.after, old.condition, old.resume_when) != (
        new.kind, new.after, new.condition, new.resume_when,
    ):  # fmt: skip
        yield f"response {old.id} begins or ends otherwise: people must compare"
