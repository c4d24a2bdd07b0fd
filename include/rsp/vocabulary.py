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
    NOT_APPLICABLE = "not_applicable"
    """A reason was given, and a second person accepted it."""


class SurfaceKind(StrEnum):
    """Where a model can be reached, or its weights."""

    FIRST_PARTY_APP = "first_party_app"
    API = "api"
    CLOUD_PARTNER = "cloud_partner"
    INTERNAL_USE = "internal_use"
    FINE_TUNING = "fine_tuning"
    HUMAN_FEEDBACK = "human_feedback"
    EVALUATION_TRAFFIC = "evaluation_traffic"
    WEIGHT_STORAGE = "weight_storage"


class Measure(StrEnum):
    """What can stand in for a safeguard until it holds (RSP 2.2 §6.2, interim measures)."""

    BLOCK_RESPONSES = "block_responses"
    DOWNGRADE_DOMAIN = "downgrade_domain"
    RAISE_SENSITIVITY = "raise_sensitivity"
    ISOLATE_WEIGHTS = "isolate_weights"


class Scenario(StrEnum):
    """What a readiness drill plays."""

    PAUSE = "pause"
    WEIGHT_THEFT = "weight_theft"
    JAILBREAK = "jailbreak"


class ResultStatus(StrEnum):
    """How the run of one evaluation ended."""

    COMPLETE = "complete"
    UNFIT = "unfit"
    """Its pre-flight failed: the model under evaluation was not asked anything."""
    UNREADABLE = "unreadable"
    """It ended, but nobody can read its log."""
    CRASHED = "crashed"


class AnomalyKind(StrEnum):
    """Why a person has to see results, or one sample of them, before they count."""

    ALL_LOWEST = "all_lowest"
    REGRESSED = "regressed"
    COPY = "copy"
    REFUSED = "refused"
    FORMAT_FAILURE = "format_failure"
    CHEATING = "cheating"
    SANDBAGGING = "sandbagging"
    FLAGGED = "flagged"
    """A flag that this version does not know by name."""


class Impression(StrEnum):
    """What a reviewer says of the transcripts as a whole; the strictest last."""

    NOTHING = "nothing_suspicious"
    CHEATING = "cheating"
    SANDBAGGING = "sandbagging"


class KeyRole(StrEnum):
    """What a key of the trust root may sign."""

    LEDGER = "ledger"
    PERMIT = "permit"
    HOLD = "hold"
    OFFICER = "officer"
    TRAINER = "trainer"
    DEPLOYER = "deployer"
    EVALUATOR = "evaluator"
    """Produces results outside Redline and delivers them."""


class View(StrEnum):
    """What the second line says of a Capability Report."""

    AGREE = "agree"
    DISAGREE = "disagree"
    NEED_MORE = "need_more"


class Choice(StrEnum):
    """What an officer determines, relative to the recommendation."""

    ACCEPT = "accept_recommendation"
    STRICTER = "stricter"
    BELOW = "below_recommendation"


class Identification(StrEnum):
    """What shows who answered. `MACHINE`: nobody did, the policy let a machine determine."""

    SIGNED = "SIGNED"
    ATTESTED = "ATTESTED_BY_AIRFLOW"
    MACHINE = "MACHINE"


class Scope(StrEnum):
    """What a hold stops, and who has to acknowledge it."""

    TRAINING = "training"
    DEPLOYMENT = "deployment"
    WEIGHTS = "weights"


class Resume(StrEnum):
    """What must be there before a hold may be released. Signatures are needed besides, always."""

    SAFEGUARDS_VERIFIED = "safeguards_verified"
    NEW_ASSESSMENT = "new_assessment"
    NEW_DETERMINATION = "new_determination"
    POLICY_UPDATED = "policy_updated"


class ResponseKind(StrEnum):
    """What people do after an outcome; also the branch targets behind a determination."""

    CAP_TRAINING = "cap_training"
    REVISE_EVALUATIONS = "revise_evaluations"
    AWAIT_NEXT_LEVEL = "await_next_level"
    LOCK_DOWN_WEIGHTS = "lock_down_weights"
    RESTRICT_DEPLOYMENT = "restrict_deployment"
    RESTRICT_FURTHER = "restrict_further"
    CONSIDER_DELETION = "consider_deletion"
    TAKE_INTERIM_MEASURES = "take_interim_measures"
    CARRY_OUT_PLAN = "carry_out_plan"
