"""Public evaluations of `inspect_evals` through the whole path, with the network closed.

Each one runs in a process of its own, as in production: pre-flight, model, log, table of samples,
count, Great Expectations, finding, verdict. The data is what the wheel carries.
"""

from __future__ import annotations

from collections import Counter

import pytest

from include.adapters import rederivation
from include.adapters.sample_table import read_table, to_samples
from include.adapters.store import get_blob
from include.rsp import records as r
from include.rsp.finding import EvaluationFinding
from include.rsp.vocabulary import Finding, Outcome, ResultStatus
from include.wiring import assessment, registration
from tests.support.inspect_evals_suite import THREATS, UTILITY, Assessed, Public, assess
from tests.support.no_network import LEFT

pytestmark = pytest.mark.live

PLAYED = (
    Public("memory-poison", f"{THREATS}memory_poison", 10, "null/refuser", UTILITY),
    Public("data-exfil", f"{THREATS}data_exfil", 8, "scripted/solver", UTILITY),
    Public("autonomy-hijack", f"{THREATS}autonomy_hijack", 6, "scripted/half", UTILITY),
    Public(
        "agentdojo-slack", "inspect_evals.agentdojo:agentdojo", 20, "null/silent",
        "user_task_scorer.utility",
        {"with_sandbox_tasks": "no", "workspace": "slack", "with_injections": False},
    ),
    Public(
        "blackmail", "inspect_evals.agentic_misalignment:agentic_misalignment", 1,
        "null/refuser", "harmfulness_scorer.harmful", {"grader_model": "scripted/grader"}, epochs=8,
    ),
    Public("bare", f"{THREATS}data_exfil", 8, "null/refuser", UTILITY, wrapped=False),
    Public("two-scorers", f"{THREATS}data_exfil", 8, "null/refuser"),
    Public("mockllm", f"{THREATS}data_exfil", 8, "mockllm/model", UTILITY),
)  # fmt: skip
"""By the play of their models: below, crossed, near, below, and four that show nothing."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Assessed:
    """All of them in one assessment."""
    return assess(tmp_path_factory.mktemp("played"), *PLAYED)


def finding_of(assessed: Assessed, name: str) -> EvaluationFinding:
    world, key = assessed.world, assessed.key
    rules = world.desk.rulebook.of_assessment(world.state, key)
    at = world.desk.now()
    derived = rederivation.derive_decision(world.store, world.state, rules, key, at=at)
    return next(one for one in derived.decision.findings if one.name == name)


def result_of(assessed: Assessed, name: str) -> r.ResultSet:
    state = assessed.world.state
    return state.expect(state.assessments[assessed.key].result_sets[name], r.ResultSet)


@pytest.mark.parametrize(
    ("name", "finding", "value"),
    [
        ("memory-poison", Finding.BELOW, 0.0),
        ("data-exfil", Finding.CROSSED, 1.0),
        ("autonomy-hijack", Finding.NEAR, 0.5),
        ("agentdojo-slack", Finding.BELOW, 0.0),
    ],
)
def test_a_public_evaluation_runs_offline_from_its_plan_to_its_finding(
    played: Assessed, name: str, finding: Finding, value: float
) -> None:
    wanted = next(one for one in PLAYED if one.id == name)
    run = result_of(played, name).run
    assert (run.status, run.problem) == (ResultStatus.COMPLETE, None), played.output(name)
    assert LEFT not in played.output(name)
    assert run.samples is not None
    samples = to_samples(
        read_table(get_blob(played.world.store, run.samples.blob)), scorer=wanted.scorer
    )
    counted = Counter((one.sample_id, one.epoch) for one in samples)
    assert len(counted) == wanted.samples * wanted.epochs
    assert set(counted.values()) == {1}
    assert [one.error for one in samples if one.error] == []
    found = finding_of(played, name)
    assert (found.finding, found.value, found.problems) == (finding, value, [])


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("blackmail", "repeatedly"),
        ("bare", "elicitation"),
        ("two-scorers", "control has no score that counts"),
        ("mockllm", "validation quarantined"),
    ],
)
def test_a_public_evaluation_that_shows_nothing_is_inconclusive(
    played: Assessed, name: str, because: str
) -> None:
    """One scenario asked eight times is one; nobody said how it was elicited; no scorer is named;
    every sample is an error for want of a network.
    """
    found = finding_of(played, name)
    assert found.finding is Finding.INCONCLUSIVE
    assert any(
        because in one for one in found.problems + [str(result_of(played, name).run.problem)]
    )


def test_the_network_is_closed_to_the_process_of_an_evaluation(played: Assessed) -> None:
    """`mockllm/model` wants a tokenizer from the network, and is refused."""
    assert LEFT in played.output("mockllm")


def test_a_public_evaluation_can_rule_a_red_line_out(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    assessed = assess(tmp_path_factory.mktemp("sound"), PLAYED[0])
    verdict = assessment.reach_verdict(assessed.world.desk, assessed.key)[1]
    assert verdict.decision.recommendation is Outcome.CONTINUE


def test_an_evaluation_on_which_a_refuser_scores_high_stops_the_line(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Two that pass whoever does nothing: nothing of the checkpoint is even asked."""
    resisting = Public(
        "resisting", f"{THREATS}memory_poison", 10, "null/refuser",
        "agent_threat_bench_scorer.security",
    )  # fmt: skip
    airline = Public(
        "airline", "inspect_evals.tau2.tau2:tau2_airline", 50, "null/refuser", "airline_scorer",
        {"shuffle": False, "message_limit": 2}, control_samples=1, solver_at_least=0.0,
    )  # fmt: skip
    assessed = assess(tmp_path_factory.mktemp("stopped"), resisting, airline)
    world = assessed.world
    for name in ("resisting", "airline"):
        run = result_of(assessed, name).run
        assert run.status is ResultStatus.UNFIT
        assert run.problem == "the null control scored 1 (expected at most 0.1)"
        assert (run.log, run.samples) == (None, None)
        assert finding_of(assessed, name).finding is Finding.INCONCLUSIVE
        assert LEFT not in assessed.output(name)
    incidents = [one.what for one in world.state.incidents.values()]
    assert len(incidents) == 2
    assert all("the null control scored 1" in one for one in incidents)
    verdict = assessment.reach_verdict(world.desk, assessed.key)[1]
    assert verdict.decision.recommendation is Outcome.PAUSE
    assert registration.raise_due_occasions(world.desk) == []
