"""Past decisions are decided again one by one; what changes is told, no evidence is kept."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from include.rsp.backtest import PastDecision, backtest, redecide
from include.rsp.decision import decide
from include.rsp.finding import Evidence
from include.rsp.vocabulary import Outcome
from tests.support.factories import CHECKPOINT, START, make_all_evidence, toy_policy, toy_suite

POLICY, SUITE = toy_policy(), toy_suite()
TIMES = {"checkpoint": CHECKPOINT, "checkpoint_at": START, "at": START + timedelta(minutes=5)}


class Watched(dict[str, Evidence]):
    """Evidence whose end can be seen."""


def past(evidence: dict[str, Evidence], number: int = 0) -> PastDecision:
    return PastDecision(
        assessment_id=f"a-{number}",
        checkpoint_name=f"run-1/x{number}",
        verdict=f"sha256:{number:064d}",
        decision=decide(POLICY, SUITE, evidence, **TIMES),
        evidence=evidence,
        variants=["final"],
        **TIMES,
    )


def stricter(plain: dict[str, Any]) -> None:
    plain["evaluations"][0]["limits"] |= {"rule_out": 0.2, "rule_in": 0.2}


def test_a_generator_of_decisions_gives_what_a_list_gives() -> None:
    every = [past(make_all_evidence(SUITE, addition=n), n) for n in (0, 5, 30, 150)]
    found = backtest(redecide(POLICY, toy_suite(stricter), (one for one in every)))
    assert found == backtest(redecide(POLICY, toy_suite(stricter), every))
    assert found.decisions == 4
    assert [(one.assessment_id, one.before, one.after) for one in found.changed] == [
        ("a-30", Outcome.CONTINUE, Outcome.PAUSE)
    ]
    assert found.loosened == 0


def test_the_same_rules_change_nothing() -> None:
    found = backtest(redecide(POLICY, SUITE, [past(make_all_evidence(SUITE))]))
    assert (found.decisions, found.changed) == (1, [])


def test_the_evidence_of_earlier_decisions_is_let_go() -> None:
    seen: list[weakref.ref[Watched]] = []

    def one_by_one() -> Iterator[PastDecision]:
        for number in range(6):
            evidence = Watched(make_all_evidence(SUITE))
            assert not any(one() for one in seen)
            seen.append(weakref.ref(evidence))
            made = past(evidence, number)
            del evidence
            yield made
            del made

    assert len(redecide(POLICY, SUITE, one_by_one())) == 6
    assert [one() for one in seen] == [None] * 6
