"""In which ways one policy is looser than another (DESIGN I7; adoption and overlays).

"Looser" means that something can go on, earlier, longer or with less, that could not before. The
list is for people: an empty one shows that no rule known here got weaker. Where rules cannot tell,
as with words, every change is listed for people to compare.
"""

from __future__ import annotations

from collections.abc import Iterator

from include.rsp.duty_strictness import duty_loosenings
from include.rsp.people_strictness import people_loosenings
from include.rsp.policy import Policy
from include.rsp.policy_parts import (
    CatalogueRef,
    ComputeTrigger,
    Criterion,
    InterimRule,
    RedLine,
    Spacing,
    Standard,
)
from include.rsp.suite import SPACING_NAMES, SpacingName
from include.rsp.vocabulary import OUTCOME_BY_RESTRICTIVENESS, RedLineStatus

_PUBLISHED = (None, "on_or_before", "before")
_COMBINE = ("all_load_bearing", "judgement", "withheld")


def loosenings(before: Policy, after: Policy) -> list[str]:
    """Every way in which `after` is looser than `before`, in words."""
    return [
        *_lines(before, after),
        *_standards(before, after),
        *_interim(before.interim_measures, after.interim_measures),
        *_spacings(before, after),
        *_rules(before, after),
        *people_loosenings(before, after),
        *_governance(before, after),
        *duty_loosenings(before, after),
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
    if old.next != new.next:
        yield f"red line {old.id}: the next red line is {old.next} → {new.next}"
    if (old.text, old.baseline, old.domain) != (new.text, new.baseline, new.domain):
        yield f"red line {old.id} is worded anew: people must compare the texts"


def _outcomes(before: Policy, after: Policy, line: str) -> Iterator[str]:
    for status in RedLineStatus:
        old, new = (one.rule_for(status, line).then for one in (before, after))
        order = OUTCOME_BY_RESTRICTIVENESS.index
        if order(new) < order(old):
            yield f"red line {line} when {status}: {old} → {new}"


def _standards(before: Policy, after: Policy) -> Iterator[str]:
    now = {one.id: one for one in after.standards}
    for standard in before.standards:
        if standard.id not in now:
            yield f"standard {standard.id} is gone"
        else:
            yield from _standard(standard, now[standard.id])


def _standard(old: Standard, new: Standard) -> Iterator[str]:
    where = f"standard {old.id}"
    criteria = {one.id: one for one in new.criteria}
    if not old.criteria and criteria:
        yield f"{where}, which could never hold, now has criteria"
    for row in old.criteria if criteria else []:  # one without criteria never holds
        yield from _criterion(f"{where}, {row.id}", row, criteria.get(row.id))
    if (old.level, old.text) != (new.level, new.text):
        yield f"{where} is worded anew: people must compare the texts"
    yield from _catalogue(where, old.catalogue, new.catalogue)


def _catalogue(where: str, old: CatalogueRef | None, new: CatalogueRef | None) -> Iterator[str]:
    """By digest: what changed inside is for `catalogue_strictness`, which reads both."""
    if old is not None and new is None:
        yield f"{where}: the catalogue {old.name} is gone: people must compare"
    elif old is None and new is not None:
        yield f"{where} is now shown by the catalogue {new.name}: people must compare"
    elif old is not None and new is not None and old.sha256 != new.sha256:
        yield f"{where}: the catalogue {old.name} → {new.name} is another one: people must compare"


def _interim(old: InterimRule | None, new: InterimRule | None) -> Iterator[str]:
    """What may stand in for a standard, and on whose word."""
    if new is None:
        return
    if old is None:
        yield "interim measures may now stand in for a standard"
        return
    for field in ("approvers", "notify"):
        gone = sorted(set(getattr(old, field)) - set(getattr(new, field)))
        if gone:
            yield f"interim_measures.{field} no longer has {', '.join(gone)}"
    grown = sorted(one.value for one in set(new.allowed) - set(old.allowed))
    if grown:
        yield f"interim_measures.allowed now has {', '.join(grown)}"
    if new.longest_days > old.longest_days:
        yield f"interim_measures.longest_days: {old.longest_days:g} → {new.longest_days:g}"


def _criterion(where: str, old: Criterion, new: Criterion | None) -> Iterator[str]:
    if new is None:
        yield f"{where} is gone"
        return
    if (new.max_age_days or 0) > (old.max_age_days or 0):
        yield f"{where}: evidence may be {old.max_age_days} → {new.max_age_days} days old"
    if (old.text, old.evidence, old.part) != (new.text, new.evidence, new.part):
        yield f"{where} is worded anew, or shown by other evidence: people must compare"


def _spacings(before: Policy, after: Policy) -> Iterator[str]:
    triggers = before.compute_trigger, after.compute_trigger
    if triggers[0].early_warning and not triggers[1].early_warning:
        yield "the early warning is gone"
    for name in SPACING_NAMES:
        if not any(getattr(one, name) for one in triggers):
            continue
        old = _strictest(triggers[0], name)
        new: Spacing = getattr(triggers[1], name) or triggers[1].default
        for field in ("due_ratio", "ceiling_ratio"):
            was, now = getattr(old, field), getattr(new, field)
            if was is not None and (now is None or now > was):
                yield f"compute_trigger.{name}.{field}: {was} → {now}"


def _strictest(trigger: ComputeTrigger, name: SpacingName) -> Spacing:
    """The distances of that name; where there are none, those that count in their place."""
    given: Spacing | None = getattr(trigger, name)
    if given is None and name == "with_safeguards":
        return trigger.early_warning or trigger.default
    return given or trigger.default


def _rules(before: Policy, after: Policy) -> Iterator[str]:
    monitors = before.pretraining_monitor, after.pretraining_monitor
    if monitors[0] and (not monitors[1] or monitors[1].ratio > monitors[0].ratio):
        yield "the pretraining monitor is gone or acts later"
    elif monitors[0] and monitors[1] and monitors[1].standard != monitors[0].standard:
        yield f"the pretraining monitor asks for {monitors[1].standard}: people must compare"
    if before.lineage_floor and not after.lineage_floor:
        yield "a derived model no longer has its parent's standard"
    if after.preliminary and not before.preliminary:
        yield "a preliminary assessment may now end without a comprehensive one"
    for field in ("compute_ratio", "months"):
        was, now = (getattr(one.preliminary, field, None) for one in (before, after))
        if was is not None and now is not None and now > was:
            yield f"preliminary.{field}: {was:g} → {now:g}"


def _governance(before: Policy, after: Policy) -> Iterator[str]:
    """The next change would need less."""
    old, new = before.governance, after.governance
    for part in ("propose", "consult", "approve"):
        gone = sorted(set(getattr(old, part)) - set(getattr(new, part)))
        if gone:
            yield f"a change of the policy no longer needs {', '.join(gone)} to {part}"
    if _PUBLISHED.index(new.published) < _PUBLISHED.index(old.published):
        yield f"a changed policy was public {old.published} it takes effect → {new.published}"
    if old.next_level and not new.next_level:
        yield "work under a standard no longer waits for the red lines after it"
