"""Comparing a model with one that was assessed whole: is it notably more capable? (step 6)

"No" needs every ground to be answered no. After a "no" nothing more is tested: the statuses of the
other model stand, and so does what follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from include.rsp.canonical import Document
from include.rsp.decision import Decision
from include.rsp.finding import EvaluationFinding
from include.rsp.policy import Policy
from include.rsp.suite import Evaluation, Suite
from include.rsp.vocabulary import Finding

WORSE = (Finding.BELOW, Finding.NEAR, Finding.CROSSED)


class GroundAnswer(StrEnum):
    """Whether a ground says that the model is notably more capable."""

    YES = "yes"
    NO = "no"
    DOUBT = "doubt"


class Ground(Document):
    """One reason to take a model for notably more capable, and whether it holds."""

    ground: str
    answer: GroundAnswer
    because: str


def screening(suite: Suite) -> list[Evaluation]:
    """The automated tests of the preliminary assessment: those with a notable gain."""
    return [one for one in suite.evaluations if one.notable_gain is not None]


def tested_grounds(
    suite: Suite, before: Sequence[EvaluationFinding], now: Sequence[EvaluationFinding]
) -> list[Ground]:
    """One ground for each screening evaluation.

    It is answered no only if both results are conclusive and of the same version, and the upper
    bound of the new one stays under the old estimate plus the notable gain.
    """
    old, new = ({one.name: one for one in found} for found in (before, now))
    names = {
        one.id: [found.name for found in [*before, *now] if found.evaluation == one.id] or [one.id]
        for one in screening(suite)
    }
    return [
        _tested(one, name, old.get(name), new.get(name))
        for one in screening(suite)
        for name in dict.fromkeys(names[one.id])
    ]


def _tested(
    evaluation: Evaluation,
    name: str,
    old: EvaluationFinding | None,
    new: EvaluationFinding | None,
) -> Ground:
    gain = evaluation.notable_gain or 0.0
    answer, because = GroundAnswer.DOUBT, ""
    if new is None or new.finding is Finding.INCONCLUSIVE or new.upper is None:
        because = new.problems[0] if new and new.problems else "there is no result"
    elif old is None or old.value is None or old.version != new.version:
        because = "the other model has no conclusive result of this version"
    elif new.upper < old.value + gain:
        answer = GroundAnswer.NO
        because = f"at most {new.upper:.3f}, against {old.value:.3f} + {gain:g}"
    else:
        because = f"up to {new.upper:.3f}, not under {old.value:.3f} + {gain:g}"
    return Ground(ground=name, answer=answer, because=because)


def measured_grounds(
    before: Sequence[EvaluationFinding], now: Sequence[EvaluationFinding]
) -> list[Ground]:
    """A doubt for everything measured of the model that is worse than it was of the other one.

    A finding of its own is never overruled: who is nearer to a red line, or over it, is assessed
    whole, however small the gain.
    """
    old = {one.name: one.finding for one in before}
    return [
        Ground(
            ground=f"{one.name} itself",
            answer=GroundAnswer.DOUBT,
            because=f"{one.finding}, and with the other model {old.get(one.name) or 'none'}",
        )
        for one in now
        if one.finding in WORSE and WORSE.index(one.finding) > _place(old.get(one.name))
    ]


def _place(finding: Finding | None) -> int:
    return WORSE.index(finding) if finding in WORSE else 0


def is_notable(grounds: Sequence[Ground]) -> bool:
    """Whether the model counts as notably more capable; no grounds at all leave it in doubt."""
    return not grounds or any(one.answer is not GroundAnswer.NO for one in grounds)


def inherit(
    policy: Policy,
    other: Decision,
    findings: Sequence[EvaluationFinding],
    *,
    reference: str,
    ratio: float,
) -> Decision:
    """The decision on a model that is not notably more capable than another one.

    Args:
        other: the decision on the model that it was compared with.
        findings: what the screening evaluations found on the model itself.
        reference: that model's name.
        ratio: its effective compute over the model's own. Distances to the next assessment and to
            the ceiling stay counted from the model that was assessed whole.
    """
    clause = policy.preliminary.clause if policy.preliminary else "none"
    return other.model_copy(
        update={
            "findings": list(findings),
            "red_lines": [
                line.model_copy(
                    update={
                        "clause": clause,
                        "because": f"not notably more capable than {reference}: {line.because}",
                    }
                )
                for line in other.red_lines
            ],
            "due_ratio": other.due_ratio * ratio,
            "ceiling_ratio": other.ceiling_ratio * ratio,
        }
    )
