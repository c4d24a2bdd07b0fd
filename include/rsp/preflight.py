"""Is the instrument fit to measure with? (lifecycle step 9, before any money is spent)

The evaluation process asks before it puts one sample to the model; the verdict asks again of what
was recorded, so that nobody's word for it is taken.
"""

from __future__ import annotations

from include.rsp.results import Conditions, ControlResult, EgressProbe
from include.rsp.suite import Evaluation
from include.rsp.suite_parts import Control

NO_SCORE = (
    "has no score that counts: its samples ended in errors, or the scorer that the suite names "
    "gave none (where it names none, there must be one)"
)


def unfit(evaluation: Evaluation, found: Conditions) -> list[str]:
    """What shows that the instrument is not fit; empty when nothing does.

    It is fit only if (1) the environment manifest says what the suite asks of it; (2) the dataset
    is the suite's; (3) it has no sandbox but that of the suite, which reached nothing, shown by a
    probe that can tell; (4) no sample gives its answer away, and that was looked at; (5) a model of
    known ability scored as high, and (6) one that always refuses as low, as they must.
    """
    problems = []
    for name, expected in sorted(evaluation.environment.items()):  # (1)
        got = found.environment.get(name)
        if got != expected:
            problems.append(f"the environment has {name} {got!r} (expected {expected!r})")
    if evaluation.dataset is not None and found.dataset != evaluation.dataset:  # (2)
        problems.append(f"the dataset is {found.dataset} (expected {evaluation.dataset})")
    problems += _problems_with_sandbox(evaluation, found)  # (3)
    problems += _problems_with_leaks(evaluation, found)  # (4)
    problems += _problems_with_control("positive", evaluation, found.positive_control)  # (5)
    problems += _problems_with_control("null", evaluation, found.null_control)  # (6)
    return problems


def _problems_with_sandbox(evaluation: Evaluation, found: Conditions) -> list[str]:
    if evaluation.inspect is None:
        return []
    wanted = evaluation.inspect.sandbox
    other = [one for one in found.sandboxes if one != wanted]
    if other:
        return [f"the task brings a sandbox of the type {', '.join(other)} (expected {wanted})"]
    return [] if wanted is None else _problems_with_egress(found.egress)


def _problems_with_egress(probe: EgressProbe | None) -> list[str]:
    if probe is None or not probe.tried:
        return ["nobody tried whether the sandbox can reach out"]
    if probe.reached:
        return [f"the sandbox reached {', '.join(probe.reached)} (expected nothing)"]
    if not probe.probe_works:
        return ["the egress probe reached nothing at all, not even its own listener"]
    return []


def _problems_with_leaks(evaluation: Evaluation, found: Conditions) -> list[str]:
    if evaluation.dataset is None and found.leaks is None:
        return []
    if found.leaks is None:
        return ["nobody looked whether the answers stand in the questions"]
    if found.leaks.leaked:
        return [
            f"{len(found.leaks.leaked)} of {found.leaks.checked} samples give their answer away, "
            f"first {found.leaks.leaked[0]!r}"
        ]
    return []


def _problems_with_control(
    name: str, evaluation: Evaluation, got: ControlResult | None
) -> list[str]:
    rule: Control | None = getattr(evaluation, f"{name}_control")
    if rule is None:
        return []
    if got is None or got.score is None:
        return [f"the {name} control {'did not run' if got is None else NO_SCORE}"]
    if got.model != rule.model or got.samples < rule.samples:
        return [
            f"the {name} control was {got.model} on {got.samples} samples "
            f"(expected {rule.model} on {rule.samples})"
        ]
    if rule.at_least is not None and not got.score >= rule.at_least:
        return [f"the {name} control scored {got.score:g} (expected at least {rule.at_least:g})"]
    if rule.at_most is not None and not got.score <= rule.at_most:
        return [f"the {name} control scored {got.score:g} (expected at most {rule.at_most:g})"]
    return []
