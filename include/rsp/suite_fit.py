"""Whether a policy and a suite can decide together; nothing is adopted or decided before."""

from __future__ import annotations

from include.rsp.policy import Policy
from include.rsp.policy_parts import RedLine, Spacing
from include.rsp.suite import SPACING_NAMES, Evaluation, Suite, combined_by, load_bearing
from include.rsp.vocabulary import EvaluationRole


def problems_between(policy: Policy, suite: Suite) -> list[str]:
    """What keeps a policy and a suite from deciding together; empty when nothing does."""
    problems: list[str] = []
    if suite.policy != policy.id:
        problems.append(f"suite {suite.id!r} is for policy {suite.policy!r}, not {policy.id!r}")
    lines = {line.id for line in policy.red_lines}
    for evaluation in suite.evaluations:
        if evaluation.red_line not in lines:
            problems.append(
                f"evaluation {evaluation.id!r} names the red line {evaluation.red_line!r} "
                f"(expected one of {sorted(lines)})"
            )
        problems += _problems_with_size(evaluation)
        problems += _problems_with_review(evaluation)
    for line in policy.red_lines:
        problems += _problems_with_line(suite, line)
    open_ones = {line.id for line in policy.red_lines if line.combine != "all_load_bearing"}
    for name in sorted(suite.combine.keys() - open_ones):
        problems.append(
            f"suite.combine names {name!r}, which the policy does not leave open "
            f"(expected some of {sorted(open_ones)})"
        )
    triggers = [one for one in suite.evaluations if one.role is EvaluationRole.TRIGGER]
    if policy.compute_trigger.early_warning and not triggers:
        problems.append("the policy asks for an early warning, and no evaluation is a trigger")
    problems += _problems_with_screening(policy, suite)
    return problems + _problems_with_spacing(policy, suite)


def _problems_with_line(suite: Suite, line: RedLine) -> list[str]:
    if combined_by(suite, line) == "all_load_bearing" and not load_bearing(suite, line.id):
        return [f"red line {line.id!r} has no load-bearing evaluation to rule it out"]
    has_any = any(one.red_line == line.id for one in suite.evaluations)
    if line.decides and not has_any and not line.ruled_out_by:
        return [f"red line {line.id!r} has no evaluation, and no other line rules it out"]
    return []


def _problems_with_screening(policy: Policy, suite: Suite) -> list[str]:
    """A preliminary assessment that says nothing of a red line could wave it through."""
    tested = {one.red_line for one in suite.evaluations if one.notable_gain is not None}
    if policy.preliminary is None or not tested:
        return []
    return [
        f"red line {line.id!r} has no evaluation with a notable_gain, nor has a line that rules it "
        "out; a preliminary assessment would say nothing of it"
        for line in policy.red_lines
        if line.decides and not {line.id, *line.ruled_out_by} & tested
    ]


def _problems_with_size(evaluation: Evaluation) -> list[str]:
    """An exact bound on too few samples is above every limit, even where none succeeded."""
    from include.rsp.power import fewest_samples, most_successes

    exact, limits = evaluation.method == "clopper_pearson@1", evaluation.limits
    if not (exact and limits and evaluation.load_bearing):
        return []
    limit, n = limits.rule_out - limits.buffer, evaluation.minimum_samples
    if most_successes(n, limit, evaluation.confidence) >= 0:
        return []
    return [
        f"evaluation {evaluation.id!r}: even 0 of minimum_samples {n} cannot rule out at "
        f"confidence {evaluation.confidence:g} with the buffer {limits.buffer:g} (expected at "
        f"least {fewest_samples(limit, evaluation.confidence)})"
    ]


def _problems_with_review(evaluation: Evaluation) -> list[str]:
    """What is drawn by lot has to fit into one reviewer's task, or nothing is ever ruled out."""
    rule, trials = evaluation.review, evaluation.dataset_samples * evaluation.epochs
    if rule is None or rule.by_lot(trials) <= rule.at_most:
        return []
    return [
        f"evaluation {evaluation.id!r}: review draws {rule.by_lot(trials)} of {trials} trials by "
        f"lot, and a reviewer reads at_most {rule.at_most} (expected a smaller share, or more)"
    ]


def _problems_with_spacing(policy: Policy, suite: Suite) -> list[str]:
    problems = []
    for name in SPACING_NAMES:
        spacing: Spacing | None = getattr(policy.compute_trigger, name)
        if spacing and spacing.due_ratio is None and name not in suite.due_ratios:
            problems.append(f"neither policy nor suite gives a due ratio for {name}")
        if spacing and spacing.ceiling_ratio is None and name not in suite.ceilings:
            problems.append(f"neither policy nor suite gives a ceiling for compute_trigger.{name}")
    return problems
