"""The closed sets of words that policies, records and DAGs share (docs/glossary.md).

A leaf module: DAG files import it while they are parsed, so it imports nothing heavy.
"""

from __future__ import annotations

from enum import StrEnum


class Finding(StrEnum):
    """What one evaluation showed. In the policies' words, failing one is the safe case."""

    BELOW = "below"
    NEAR = "near"
    CROSSED = "crossed"
    INCONCLUSIVE = "inconclusive"


class RedLineStatus(StrEnum):
    """What is known of one red line after an assessment."""

    RULED_OUT = "ruled_out"
    NOT_RULED_OUT = "not_ruled_out"
    CROSSED = "crossed"


class Outcome(StrEnum):
    """What a verdict recommends; also the branch targets of `assess_checkpoint`."""

    CONTINUE = "continue"
    VERIFY_SAFEGUARDS = "verify_safeguards"
    PAUSE = "pause"


OUTCOME_BY_RESTRICTIVENESS = (Outcome.CONTINUE, Outcome.VERIFY_SAFEGUARDS, Outcome.PAUSE)


def most_restrictive(outcomes: list[Outcome]) -> Outcome:
    """The strictest of the outcomes; of none at all, `pause` (an empty set shows nothing)."""
    if not outcomes:
        return Outcome.PAUSE
    return max(outcomes, key=OUTCOME_BY_RESTRICTIVENESS.index)


class OccasionKind(StrEnum):
    """Why an assessment is due."""

    COMPUTE_MILESTONE = "compute_milestone"
    CALENDAR = "calendar"
    ELICITATION = "elicitation"
    OFFICER = "officer"
    INCIDENT = "incident"
    RESTATEMENT = "restatement"
    POLICY_CHANGE = "policy_change"


class EvaluationRole(StrEnum):
    """What an evaluation may be used for."""

    RULE_OUT = "rule_out"
    RULE_IN = "rule_in"
    TRIGGER = "trigger"
    EVIDENCE = "evidence"


class CriterionOutcome(StrEnum):
    """Whether one criterion of a safeguards standard is shown to hold."""

    MET = "met"
    NOT_MET = "not_met"
    STALE = "stale"
    MISSING = "missing"


class ResultStatus(StrEnum):
    """How the run of one evaluation ended."""

    COMPLETE = "complete"
    CRASHED = "crashed"


class KeyRole(StrEnum):
    """What a key of the trust root may sign."""

    LEDGER = "ledger"
    PERMIT = "permit"
    HOLD = "hold"
    OFFICER = "officer"
    TRAINER = "trainer"
