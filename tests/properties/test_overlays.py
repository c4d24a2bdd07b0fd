"""Whatever duties an overlay holds, laying it never loosens the policy under it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from include.adapters.policy_files import POLICIES, read_policy
from include.rsp.duties import DUTY_LISTS, Event
from include.rsp.overlay import Overlay, lay
from include.rsp.strictness import loosenings

TOY = read_policy((POLICIES / "toylab-1.0.yaml").read_bytes(), where="toylab")
RICH = read_policy((POLICIES / "anthropic-rsp-1.0.yaml").read_bytes(), where="RSP 1.0")
NAMES = st.sampled_from(["quarterly-status", "results", "a", "b", "c", "three-months"])
WORDS = st.sampled_from(["a report", "something"])
UNITS = ("hours", "days", "business_days", "weeks", "months", "years")
TIMES = st.builds(
    lambda amount, unit: {"amount": amount, "unit": unit},
    st.floats(0.1, 1000),
    st.sampled_from(UNITS),
)
ROLES = ["regulator", "public"]
TOLD = st.sampled_from([["regulator"], ["public"], ROLES])
EVENTS = st.sampled_from(list(Event))
DUTIES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "time_triggers": {
        "kind": st.sampled_from(["calendar", "elicitation"]),
        "months": st.integers(1, 120),
    },
    "deadlines": {
        "text": WORDS, "event": EVENTS, "within": TIMES, "before": st.booleans(),
        "on_miss": st.sampled_from(["deviation", "block"]),
    },
    "documents": {
        "text": WORDS,
        "required": st.sampled_from(["assessment", "safeguards", "deployment", "periodic"]),
        "every": st.lists(TIMES, max_size=2),
    },
    "notices": {
        "to": TOLD, "event": EVENTS, "before_permit": st.booleans(), "approval": st.booleans(),
    },
    "publications": {"what": WORDS, "event": EVENTS, "audience": TOLD},
    "retention": {"what": WORDS, "keep": TIMES},
}  # fmt: skip
RULES = {
    name: st.fixed_dictionaries(fields | {"id": NAMES, "clause": st.just("a clause")})
    for name, fields in DUTIES.items()
}
HEAD = {
    "id": "law", "version": "1", "effective": "2026-01-01", "publisher": "somebody",
    "source": "a test", "applies_when": "always", "roles": ROLES,
}  # fmt: skip


def with_rule(duty: str) -> st.SearchStrategy[Overlay]:
    return RULES[duty].map(lambda rule: Overlay.model_validate(HEAD | {duty: [rule]}))


OVERLAYS = st.sampled_from(sorted(DUTIES)).flatmap(with_rule)
"""One rule of any kind, also with the name of a rule that the policy has."""


def test_every_kind_of_duty_is_drawn() -> None:
    assert set(DUTIES) == set(DUTY_LISTS)


@settings(max_examples=10_000, deadline=None, database=None)
@given(OVERLAYS, st.sampled_from([TOY] * 9 + [RICH]))
def test_an_overlay_never_loosens(overlay: Overlay, base: Any) -> None:
    laid = lay(base, overlay)
    assert loosenings(base, laid) == []
    for field in ("red_lines", "outcomes", "standards", "sign_off", "compute_trigger", "hold"):
        assert getattr(laid, field) == getattr(base, field)
    for duty in DUTY_LISTS:
        kept = getattr(laid, duty)[: len(getattr(base, duty))]
        assert kept == getattr(base, duty)
