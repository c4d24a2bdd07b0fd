"""In which ways one policy is looser than another (DESIGN I7; adoption and overlays).

"Looser" means that something can go on, earlier, longer or with less, that could not before. The
list is for people: an empty one shows that no rule known here got weaker.
"""

from __future__ import annotations

from collections.abc import Iterator

from include.rsp.duties import Deadline, Notice
from include.rsp.policy import Policy
from include.rsp.policy_parts import Criterion, RedLine, Spacing
from include.rsp.suite import SPACING_NAMES
from include.rsp.vocabulary import OUTCOME_BY_RESTRICTIVENESS, RedLineStatus

_COMBINE = ("all_load_bearing", "judgement", "withheld")


def loosenings(before: Policy, after: Policy) -> list[str]:
    """Every way in which `after` is looser than `before`, in words."""
    return [
        *_lines(before, after),
        *_standards(before, after),
        *_spacings(before, after),
        *_people(before, after),
        *_duties(before, after),
    ]


def _lines(before: Policy, after: Policy) -> Iterator[str]:
    now = {line.id: line for line in after.red_lines}
    for line in before.red_lines:
        if line.id not in now:
            yield f"red line {line.id} is gone"
            continue
        yield from _line(line, now[line.id])
        if line.decides and now[line.id].decides:
            yield from _outcomes(before, after, line.id)


def _line(old: RedLine, new: RedLine) -> Iterator[str]:
    if old.decides and not new.decides:
        yield f"red line {old.id} no longer decides"
    if _COMBINE.index(new.combine) < _COMBINE.index(old.combine):
        yield f"red line {old.id}: combine {old.combine} → {new.combine}"
    for field in ("required_standards", "required_documents"):
        gone = sorted(set(getattr(old, field)) - set(getattr(new, field)))
        if gone:
            yield f"red line {old.id} no longer requires {', '.join(gone)}"
    more = sorted(set(new.ruled_out_by) - set(old.ruled_out_by))
    if more:
        yield f"red line {old.id} is now also ruled out by {', '.join(more)}"
    if old.text != new.text or old.baseline != new.baseline:
        yield f"red line {old.id} is worded anew: people must compare the texts"


def _outcomes(before: Policy, after: Policy, line: str) -> Iterator[str]:
    for status in RedLineStatus:
        old, new = (one.rule_for(status, line).then for one in (before, after))
        order = OUTCOME_BY_RESTRICTIVENESS.index
        if order(new) < order(old):
            yield f"red line {line} when {status}: {old} → {new}"


def _standards(before: Policy, after: Policy) -> Iterator[str]:
    now = {one.id: {row.id: row for row in one.criteria} for one in after.standards}
    for standard in before.standards:
        criteria = now.get(standard.id)
        if criteria is None:
            yield f"standard {standard.id} is gone"
            continue
        if not standard.criteria and criteria:
            yield f"standard {standard.id}, which could never hold, now has criteria"
        for row in standard.criteria if criteria else []:  # one without criteria never holds
            yield from _criterion(f"standard {standard.id}, {row.id}", row, criteria.get(row.id))


def _criterion(where: str, old: Criterion, new: Criterion | None) -> Iterator[str]:
    if new is None:
        yield f"{where} is gone"
    elif (new.max_age_days or 0) > (old.max_age_days or 0):
        yield f"{where}: evidence may be {old.max_age_days} → {new.max_age_days} days old"


def _spacings(before: Policy, after: Policy) -> Iterator[str]:
    for name in SPACING_NAMES:
        old: Spacing | None = getattr(before.compute_trigger, name)
        new: Spacing | None = getattr(after.compute_trigger, name)
        if name == "early_warning" and old and not new:
            yield "the early warning is gone"
        if not (old and new):
            continue
        for field in ("due_ratio", "ceiling_ratio"):
            was, now = getattr(old, field), getattr(new, field)
            if was is not None and (now is None or now > was):
                yield f"compute_trigger.{name}.{field}: {was} → {now}"
    monitors = before.pretraining_monitor, after.pretraining_monitor
    if monitors[0] and (not monitors[1] or monitors[1].ratio > monitors[0].ratio):
        yield "the pretraining monitor is gone or acts later"
    if before.lineage_floor and not after.lineage_floor:
        yield "a derived model no longer has its parent's standard"
    if after.preliminary and not before.preliminary:
        yield "a preliminary assessment may now end without a comprehensive one"


def _people(before: Policy, after: Policy) -> Iterator[str]:
    gone = sorted(set(before.sign_off.roles) - set(after.sign_off.roles))
    if gone:
        yield f"no longer signed by {', '.join(gone)}"
    more = sorted(
        set(after.machine_determination.outcomes) - set(before.machine_determination.outcomes)
    )
    if more:
        yield f"a machine may now determine {', '.join(more)}"
    pairs = {
        "answer_within_hours": (before.sign_off, after.sign_off),
        "acknowledge_within_seconds": (before.hold, after.hold),
        "permit_days": (before.authority, after.authority),
        "lease_seconds": (before.authority, after.authority),
    }
    for field, (old, new) in pairs.items():
        if getattr(new, field) > getattr(old, field):
            yield f"{field}: {getattr(old, field)} → {getattr(new, field)}"
    if before.governance.next_level and not after.governance.next_level:
        yield "work under a standard no longer waits for the red lines after it"


def _duties(before: Policy, after: Policy) -> Iterator[str]:
    months = {one.id: one.months for one in after.time_triggers}
    for trigger in before.time_triggers:
        if trigger.id not in months or months[trigger.id] > trigger.months:
            yield f"assessment every {trigger.months:g} months → {months.get(trigger.id, 'never')}"
    for name in ("deadlines", "documents", "notices", "publications", "retention"):
        now = {one.id: one for one in getattr(after, name)}
        for one in getattr(before, name):
            if one.id not in now:
                yield f"{name}: {one.id} is gone"
            elif isinstance(one, Deadline):
                yield from _deadline(one, now[one.id])
            elif isinstance(one, Notice):
                yield from _notice(one, now[one.id])


def _deadline(old: Deadline, new: Deadline) -> Iterator[str]:
    later = new.within.days < old.within.days if old.before else new.within.days > old.within.days
    if later or old.before != new.before or old.event is not new.event:
        yield f"deadline {old.id}: {old.within.amount:g} {old.within.unit} → " + (
            f"{new.within.amount:g} {new.within.unit}"
        )
    if old.on_miss == "block" and new.on_miss != "block":
        yield f"deadline {old.id} no longer blocks"


def _notice(old: Notice, new: Notice) -> Iterator[str]:
    gone = sorted(set(old.to) - set(new.to))
    if gone:
        yield f"notice {old.id} no longer goes to {', '.join(gone)}"
    if (old.before_permit, old.approval) > (new.before_permit, new.approval) or (
        old.approval and not new.approval
    ):
        yield f"notice {old.id} no longer comes first, or needs no approval"
