"""People and the notary, in random histories: whatever anybody does, a permit has what it needs.

Every history begins from a copy of a Redline after its first verdict (tests/support/scenes.py), is
drawn from a seed and cut down when it fails (tests/support/courses.py), and is looked at after
every event by an oracle that shares no rule with the notary (tests/support/people_oracle.py).
`REDLINE_HISTORIES` says how many there are (default 500), `REDLINE_FIRST` the first seed.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from include.adapters import people_check
from include.adapters.report_page import page_of
from include.rsp.vocabulary import Scope
from include.wiring import signing_off
from tests.support.courses import Course, Kind, drawn, shrunk
from tests.support.histories import STRANGER
from tests.support.scenes import SCENES
from tests.support.situation import ACCEPT, Situation
from tests.support.world import World

HISTORIES = int(os.environ.get("REDLINE_HISTORIES", "500"))
FIRST = int(os.environ.get("REDLINE_FIRST", "1"))
LONGEST = 15
WHOLE_EVERY = 4
"""One history in so many is verified offline at its end."""
TO_BE_SEEN = {
    "chained", "signature_missing", "signed_to_hold", "second_line_needs_more", "opinion_changed",
    "signature_out_of_time", "not_distinct", "not_independent", "wrong_packet", "receipt_missing",
    "rejected", "not_answered", "answer_altered", "all_admins", "response_chosen",
    "answered_already", "bad_signature", "wrong_office", "out_of_turn", "hold_in_force",
    "no_such_hold", "stale_index", "not_newest_verdict", "policy_replaced", "already_permitted",
    "below_not_allowed", "approval_needed", "not_offered", "acknowledged_already",
    "held_elsewhere", "no_safeguards", "safeguards_stale", "other_hold", "post_dated",
}  # fmt: skip


OFFICES = ["rso", "ceo", "second-line", "board"]
KEYS = [
    None, None, None, None, "ceo", "rso", "board", STRANGER, "ceo-by-rso", "rso-by-trainer",
    "second-by-ceo", "ceo-by-author",
]  # fmt: skip
AGO = [0, 0, 0, 1, 30, 4000]
WHICH = [0, 0, 1, 2]
PURPOSES = [Scope.TRAINING, Scope.TRAINING, Scope.DEPLOYMENT]
NO = [False]
MORE = [
    {}, {}, {}, {}, {"cap_ratio": 1.5}, {"response": "lock"}, {"response": "cap"},
    {"not_applicable": ["board"]}, {"not_applicable": ["approval"]},
]  # fmt: skip
CLICKED = [
    [False] * 4, [False] * 4, [True] * 4, [True, False, False, False], [False, True, False, False],
    [False, False, True, True], [False, False, False, True],
]  # fmt: skip
WRONG = [None] * 20 + [
    "order", "back-dated", "person", "view", "no receipt", "choice", "told", "author", "late",
    "early receipt",
    "second thoughts", "a no taken back",
    "a rejection taken back", "evidence refuted", "cleared", "answered again", "by another user",
    "response", "not judged", "only told", "a no on an older packet", "a no on an older packet",
]  # fmt: skip
KINDS = [
    Kind("sign_off", 8, {"purpose": PURPOSES, "wrong": WRONG, "clicked": CLICKED,
                         "below": [False, False, False, True], "shown": [True, True, False],
                         "ask": [True, True, False]}),
    Kind("write_report", 2, {"purpose": PURPOSES, "judged": [True, True, False]}),
    Kind("opine", 3, {"one": WHICH, "view": ["agree", "agree", "disagree", "need_more"],
                      "key": KEYS, "ago": AGO}),
    Kind("close", 3, {"one": WHICH}),
    Kind("determine", 6, {"one": WHICH, "office": ["rso", "ceo", "rso", "ceo", *OFFICES],
                          "choice": [ACCEPT, ACCEPT, "below_recommendation", "stricter"],
                          "key": KEYS, "ago": AGO, "more": MORE, "clicked": [False, True]}),
    Kind("receive", 2, {"one": WHICH, "office": ["board", "board", "board", "rso", "ltbt"],
                        "ago": AGO,
                        "notice": ["board", "approval", "board-and-ltbt"],
                        "clicked": [False, True],
                        "choice": ["received", "approved", "approved", "rejected"]}),
    Kind("bring_the_same_answer_again", 2, {"one": WHICH}),
    Kind("revoke", 1, {"office": ["rso", "board", "second-line"], "one": WHICH, "key": KEYS}),
    Kind("ask_for_the_packet", 4, {"one": WHICH}),
    Kind("ask", 2, {"purpose": PURPOSES, "packet": [None, None, 0, 1], "hold": ["newest", "newest",
                    "none", "oldest"], "seen": [0, 0, 1, -1], "old": [False, True]}),
    Kind("ask_a_machine", 1, {"purpose": PURPOSES}),
    Kind("time_passes", 3, {"seconds": [1, 1, 1, 10, 59, 61, 3700, 50_000, 90_000, 700_000]}),
    Kind("add_evidence", 2, {"shows": [True, True, False], "age": [0, 0, 6, 40]}),
    Kind("assess_anew", 1, {"addition": [5, 5, 190]}),
    Kind("replace_the_policy", 1, {}),
    Kind("kill_the_notary", 1, {}),
    Kind("tamper_with_airflow", 2, {"one": WHICH, "how": [
        "answered again", "by another user", "asked of all", "another option", "another reason",
        "cleared", "open to all"]}),
    Kind("the_trainer", 3, {"one": WHICH, "what": [
        "acknowledges", "acknowledges", "acknowledges twice", "acknowledges early", "trains",
        "idles", "publishes", "announces"]}),
    Kind("look_whether_it_stands_still", 2, {"one": WHICH}),
]  # fmt: skip


def failure_of(
    course: Course, worlds: dict[str, World], seen: Counter[str], root: Path, *, whole: bool
) -> Exception | None:
    """What goes wrong in a course, if anything does: an invariant, or the notary dies."""
    try:
        situation = Situation(worlds[course.scene], seen, root)
        for event in course.events:
            getattr(situation, event.kind.name)(**event.arguments)
            situation.all_holds()
        if whole:
            situation.look_at_it_whole()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return error
    finally:
        shutil.rmtree(root, ignore_errors=True)
    permits = list(situation.oracle.permits.values())[situation.first :]
    seen["histories with a permit"] += bool(permits)
    seen[f"permits: {course.scene}"] += len(permits)
    return None


def explained(course: Course, worlds: dict[str, World], root: Path) -> str:
    """The simplest course found that fails as this one does, and how."""

    def failure(one: Course) -> Exception | None:
        return failure_of(one, worlds, Counter(), root, whole=True)

    least = shrunk(course, failure)
    error = failure(least)
    return f"{least}\n{type(error).__name__}: {error}"


def test_no_history_lets_anything_go_on_without_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = cache(page_of)  # half of the time went there, for texts that were seen before
    monkeypatch.setattr(signing_off, "page_of", rendered)
    monkeypatch.setattr(people_check, "page_of", rendered)
    logging.getLogger("redline").setLevel(logging.CRITICAL)
    worlds = {name: build(tmp_path / f"s{n}") for n, (name, build) in enumerate(SCENES.items())}
    seen: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + HISTORIES):
        course = drawn(seed, list(SCENES), KINDS, longest=LONGEST)
        whole = seed % WHOLE_EVERY == 0
        if failure_of(course, worlds, seen, tmp_path / "history", whole=whole) is not None:
            pytest.fail(f"Seed {seed}. {explained(course, worlds, tmp_path / 'again')}")
    assert seen["histories with a permit"] >= HISTORIES / 5, seen
    assert all(seen[f"permits: {name}"] for name in SCENES), seen
    assert seen["verified"] >= HISTORIES // WHOLE_EVERY
    assert seen["lease"] > 0
    assert seen["permit by a machine"] > 0
    assert not TO_BE_SEEN - set(seen), TO_BE_SEEN - set(seen)
