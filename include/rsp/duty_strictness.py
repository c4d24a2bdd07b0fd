"""In which ways the duties of one policy are looser than those of another (DESIGN I7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from include.rsp.duties import (
    Deadline,
    DocumentRule,
    Duties,
    Notice,
    Publication,
    Retention,
    TimeTrigger,
)


def duty_loosenings(before: Duties, after: Duties) -> Iterator[str]:
    """Every way in which the duties in `after` are looser than those in `before`, in words."""
    yield from _triggers(before.time_triggers, after.time_triggers)
    for name, compare in _COMPARE.items():
        now = {one.id: one for one in getattr(after, name)}
        for one in getattr(before, name):
            if one.id not in now:
                yield f"{name}: {one.id} is gone"
            else:
                yield from compare(one, now[one.id])


def _triggers(before: list[TimeTrigger], after: list[TimeTrigger]) -> Iterator[str]:
    months = {one.id: one.months for one in after}
    for trigger in before:
        if trigger.id not in months or months[trigger.id] > trigger.months:
            yield f"assessment every {trigger.months:g} months → {months.get(trigger.id, 'never')}"


def _deadline(old: Deadline, new: Deadline) -> Iterator[str]:
    later = new.within.days < old.within.days if old.before else new.within.days > old.within.days
    if later or old.before != new.before or old.event is not new.event:
        yield f"deadline {old.id}: {old.within.amount:g} {old.within.unit} → " + (
            f"{new.within.amount:g} {new.within.unit}"
        )
    if old.on_miss == "block" and new.on_miss != "block":
        yield f"deadline {old.id} no longer blocks"
    yield from _reworded(f"deadline {old.id}", old.text, new.text)


def _document(old: DocumentRule, new: DocumentRule) -> Iterator[str]:
    where = f"document {old.id}"
    sections = {one.id: one.text for one in new.sections}
    for section in old.sections:
        if section.id not in sections:
            yield f"{where}: section {section.id} is gone"
        else:
            yield from _reworded(f"{where}, {section.id}", section.text, sections[section.id])
    if not old.sections and new.sections:
        yield f"{where}, which had no sections to file, now has some"
    if (new.max_age_days or 0) > (old.max_age_days or 0):
        yield f"{where}: it may be {old.max_age_days} → {new.max_age_days} days old"
    every = [min((one.days for one in each.every), default=None) for each in (old, new)]
    if every[0] is not None and (every[1] is None or every[1] > every[0]):
        yield f"{where} is due more rarely"
    yield from _gone(where, "is no longer for", old.audience, new.audience)
    yield from _reworded(where, (old.text, old.required), (new.text, new.required))


def _notice(old: Notice, new: Notice) -> Iterator[str]:
    where = f"notice {old.id}"
    yield from _gone(where, "no longer goes to", old.to, new.to)
    if (old.before_permit, old.approval) > (new.before_permit, new.approval) or (
        old.approval and not new.approval
    ):
        yield f"{where} no longer comes first, or needs no approval"
    if new.event is not old.event or (new.condition not in (None, old.condition)):
        yield f"{where} is given on another event or condition: people must compare"


def _publication(old: Publication, new: Publication) -> Iterator[str]:
    where = f"publication {old.id}"
    yield from _gone(where, "is no longer for", old.audience, new.audience)
    if new.redactions not in (None, old.redactions):
        yield f"{where}: redactions {old.redactions} → {new.redactions}"
    yield from _reworded(where, (old.what, old.event), (new.what, new.event))


def _retention(old: Retention, new: Retention) -> Iterator[str]:
    where = f"retention {old.id}"
    if new.keep.days < old.keep.days:
        yield f"{where}: kept for {new.keep.amount:g} {new.keep.unit}, no longer " + (
            f"{old.keep.amount:g} {old.keep.unit}"
        )
    yield from _reworded(where, old.what, new.what)


def _gone(where: str, says: str, old: list[str], new: list[str]) -> Iterator[str]:
    gone = sorted(set(old) - set(new))
    if gone:
        yield f"{where} {says} {', '.join(gone)}"


def _reworded(where: str, old: object, new: object) -> Iterator[str]:
    if old != new:
        yield f"{where} is worded anew: people must compare the texts"


_COMPARE: dict[str, Callable[[Any, Any], Iterator[str]]] = {
    "deadlines": _deadline,
    "documents": _document,
    "notices": _notice,
    "publications": _publication,
    "retention": _retention,
}
