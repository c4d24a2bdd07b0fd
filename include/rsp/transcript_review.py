"""Which transcripts people read before results count, and what follows from what they say.

Unread is not ruled out, and nothing that a reviewer says makes a finding less serious than the
scores alone: a review can take a rule-out away, never give one (DESIGN I1).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from include.rsp.anomalies import Anomaly
from include.rsp.canonical import Digest
from include.rsp.results import Sample
from include.rsp.review_parts import (
    DrawnTrial,
    Heard,
    NotDue,
    Review,
    Selection,
    TranscriptReview,
    Trial,
)
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import Impression

BY_LOT = "drawn by lot"
INVALID = "invalidated by a reviewer"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a review does to a run.

    Attributes:
        problems: what keeps the run from ruling out; empty when nothing does.
        invalidated: by answer, the trials that it says are no trials, with the reasons.
    """

    problems: list[str]
    invalidated: Sequence[Mapping[Trial, str]]


def drawn(
    plan: Digest,
    run: str,
    samples: Sequence[Sample],
    rule: TranscriptReview,
    anomalies: Sequence[Anomaly],
) -> Selection:
    """The transcripts of a run that have to be read.

    Those that trigger a review come first, then as many of all trials as the suite wants by lot. An
    anomaly of the result as a whole has as many drawn as one reviewer can read. What is more than
    that stays unread, and is counted: then the run rules nothing out. The lot is the order of the
    digests of (plan, run, trial): whoever does not choose the plan chooses none of it.

    Args:
        plan: digest of the counted plan, which was there before any result.
        run: name of the planned run.
        samples: the counted rows, in any order.
        anomalies: everything about the run that a person has to see.
    """
    trials = sorted({(one.sample_id, one.epoch) for one in samples}, key=_lot(plan, run))
    triggered, alerts, lost = _triggered(trials, rule, anomalies)
    first = [one for one in trials if one in triggered]
    others = [one for one in trials if one not in triggered]
    wanted = [one for one in trials[: rule.by_lot(len(trials))] if one not in triggered]
    over = max(0, len(first) + len(wanted) - rule.at_most)
    if alerts:
        wanted = others
    return Selection(
        trials=[
            DrawnTrial(
                sample_id=one[0],
                epoch=one[1],
                because="; ".join(dict.fromkeys(triggered.get(one, [BY_LOT]))),
            )
            for one in [*first, *wanted][: rule.at_most]
        ],
        unread=over + lost,
        alerts=alerts,
    )


def _lot(plan: Digest, run: str) -> Callable[[Trial], bytes]:
    def place(trial: Trial) -> bytes:
        # a length before each part: no two trials share their bytes
        parts = (plan, run, trial[0], str(trial[1]))
        named = b"".join(len(raw := one.encode()).to_bytes(8, "big") + raw for one in parts)
        return hashlib.sha256(named).digest()

    return place


def _triggered(
    trials: Sequence[Trial], rule: TranscriptReview, anomalies: Sequence[Anomaly]
) -> tuple[dict[Trial, list[str]], list[str], int]:
    """(reasons by trial, what speaks of the whole, anomalies of trials that are not there)."""
    found: dict[Trial, list[str]] = {}
    alerts: list[str] = []
    lost = 0
    for one in anomalies:
        if one.kind not in rule.triggers:
            continue
        if one.sample_id is None:
            alerts.append(one.because)
            continue
        named = _named(trials, one)
        lost += not named
        for trial in named:
            found.setdefault(trial, []).append(one.because)
    return found, alerts, lost


def _named(trials: Sequence[Trial], anomaly: Anomaly) -> list[Trial]:
    return [
        one for one in trials if one[0] == anomaly.sample_id and anomaly.epoch in (None, one[1])
    ]


def judge_review(
    evaluation: Evaluation,
    review: Review | NotDue | None,
    *,
    trials: int,
    at: datetime,
) -> Judged:
    """What the review of a run does to it.

    The run may rule out only if (1) its suite asks for no review, or what has to be read is known;
    (2) no more had to be read than one reviewer can; (3) somebody was asked about exactly that;
    (4) one whom the suite names answered, in time; (5) nobody saw cheating or sandbagging;
    (6) no more trials were invalidated than the suite allows.

    Args:
        trials: how many rows the run has.
        at: the time of the decision.
    """
    rule = evaluation.review
    if rule is None or isinstance(review, NotDue):  # (1)
        return Judged([], ())
    if review is None or review.rule != rule or review.selection is None:
        return Judged(["transcripts were not reviewed: nobody was asked to read any"], ())
    chosen = review.selection
    problems: list[str] = []
    if chosen.unread:  # (2)
        problems.append(
            f"{chosen.unread} transcripts that had to be read were more than one reviewer reads "
            f"(at most {rule.at_most})"
        )
    if chosen.is_empty:
        return Judged(problems, ())
    if review.asked is None or review.due is None:  # (3)
        return Judged([*problems, "transcripts were not reviewed: nobody was asked to"], ())
    if list(review.asked) != list(chosen.trials):
        return Judged([*problems, "transcripts of another selection were reviewed"], ())
    heard: list[Heard] = []
    for one in review.heard:  # (4)
        wrong = _uncounted(rule, one, shown=len(chosen.trials), due=review.due)
        problems += wrong
        heard += [] if wrong else [one]
    if not heard:
        problems.append(
            f"transcripts were not reviewed {'by' if at > review.due else 'yet; due'} "
            f"{review.due:%Y-%m-%d %H:%M}"
        )
    problems += [  # (5)
        f"the {one.office} saw {one.impression.value} in the transcripts: {one.reason}"
        for one in heard
        if one.impression is not Impression.NOTHING
    ]
    invalidated = [_by_trial(chosen, one) for one in heard if one.invalid]
    problems += _too_many(rule, invalidated, trials)  # (6)
    return Judged(problems, invalidated)


def _uncounted(rule: TranscriptReview, one: Heard, *, shown: int, due: datetime) -> list[str]:
    """Why an answer is no review; empty when it is one."""
    if one.office not in rule.reviewers:
        return [f"the {one.office} reviewed transcripts (expected {' or '.join(rule.reviewers)})"]
    if one.at > due:
        return [f"the {one.office} reviewed transcripts at {one.at:%Y-%m-%d %H:%M}, too late"]
    unknown = sorted(set(one.invalid) - set(range(1, shown + 1)))
    if unknown:
        return [f"the {one.office} invalidated trial {unknown[0]} of {shown} that were shown"]
    return []


def _by_trial(chosen: Selection, one: Heard) -> dict[Trial, str]:
    return {chosen.trials[number - 1].trial: why for number, why in sorted(one.invalid.items())}


def _too_many(
    rule: TranscriptReview, invalidated: Sequence[Mapping[Trial, str]], trials: int
) -> list[str]:
    every = Counter(trial for one in invalidated for trial in one)
    if len(every) <= rule.max_invalidated * trials:
        return []
    return [
        f"{len(every)} of {trials} trials were invalidated (at most {rule.max_invalidated:.0%} may)"
    ]


def accounts(
    evaluation: Evaluation, samples: Sequence[Sample], judged: Judged
) -> Iterator[list[Sample]]:
    """The accounts of a run of which the worst counts.

    First all trials as they were scored, as if nobody had invalidated any; then one account for
    each answer, and one for all answers together, without the trials that it invalidated. Where
    the rest is too little (fewer than `minimum_samples` scored, more than `max_invalidated` gone,
    or too many errors among it) they stay in and count as errors do: as if the capability had
    shown, and as nothing at all where there are more of them than `max_error_rate`. So an
    invalidation can only make a finding more serious, whoever makes it and whatever it leaves out.
    """
    yield list(samples)
    every: dict[Trial, str] = {}
    for one in judged.invalidated:
        every |= one
    seen: list[frozenset[Trial]] = []
    for gone in (*map(frozenset, judged.invalidated), frozenset(every)):
        if gone and gone not in seen:
            seen.append(gone)
            yield _without(evaluation, samples, gone)


def _without(
    evaluation: Evaluation, samples: Sequence[Sample], gone: frozenset[Trial]
) -> list[Sample]:
    rest = [one for one in samples if (one.sample_id, one.epoch) not in gone]
    errors = sum(one.score is None for one in rest)
    rule = evaluation.review
    enough = (
        rule is not None
        and len(rest) - errors >= evaluation.minimum_samples
        and errors <= evaluation.max_error_rate * len(rest)
        and len(gone) <= rule.max_invalidated * len(samples)
    )
    if enough:
        return rest
    return [
        one.model_copy(update={"score": None, "error": INVALID})
        if (one.sample_id, one.epoch) in gone
        else one
        for one in samples
    ]
