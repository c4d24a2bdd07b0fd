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
NAMES = st.text("abcdefgh", min_size=1, max_size=6)
WORDS = st.text(min_size=1, max_size=12)
TIMES = st.fixed_dictionaries(
    {
        "amount": st.floats(0.1, 1000),
        "unit": st.sampled_from(["hours", "days", "business_days", "weeks", "months", "years"]),
    }
)
ROLES = ["regulator", "public"]
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
        "to": st.lists(st.sampled_from(ROLES), min_size=1, unique=True), "event": EVENTS,
        "before_permit": st.booleans(), "approval": st.booleans(),
    },
    "publications": {"what": WORDS, "event": EVENTS, "audience": st.lists(NAMES, min_size=1)},
    "retention": {"what": WORDS, "keep": TIMES},
}  # fmt: skip


@st.composite
def overlays(draw: st.DrawFn, name: str = "law") -> Overlay:
    plain: dict[str, Any] = {
        "id": name, "version": "1", "effective": "2026-01-01", "publisher": "somebody",
        "source": "a test", "applies_when": "always", "roles": ROLES,
    }  # fmt: skip
    for duty in draw(st.sets(st.sampled_from(sorted(DUTIES)), min_size=1, max_size=3)):
        ids = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
        rule = st.fixed_dictionaries(DUTIES[duty])
        plain[duty] = [draw(rule) | {"id": one, "clause": "a clause"} for one in ids]
    return Overlay.model_validate(plain)


def test_every_kind_of_duty_is_drawn() -> None:
    assert set(DUTIES) == set(DUTY_LISTS)


@settings(max_examples=10_000, deadline=None, database=None)
@given(overlays(), st.sampled_from([TOY] * 9 + [RICH]))
def test_an_overlay_never_loosens(overlay: Overlay, base: Any) -> None:
    laid = lay(base, overlay)
    assert loosenings(base, laid) == []
    for field in ("red_lines", "outcomes", "standards", "sign_off", "compute_trigger", "hold"):
        assert getattr(laid, field) == getattr(base, field)
    for duty in DUTY_LISTS:
        kept = getattr(laid, duty)[: len(getattr(base, duty))]
        assert kept == getattr(base, duty)
