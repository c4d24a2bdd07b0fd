"""Safeguards in the real DAGs: real probes at a real service, people, drills, attestations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.rsp import records as r
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.vocabulary import CriterionOutcome
from tests.airflow.conftest import ROOT, pointed_to
from tests.airflow.test_assess_checkpoint import AGREED, CROSSED, TOLD, assess
from tests.support.airflow_world import LoopingWorld, People, Says, states
from tests.support.factories import SUITE_BYTES, changed
from tests.support.toy_surfaces import Running, checkpoint, surfaces
from tests.support.world import RUN
from toylab.switches import read_switches, write_switches

pytestmark = pytest.mark.airflow
AT_HAND = ("weights-listed", "weights-access-two-person")
APPROVED = {f"approve_safeguards_as_{one}": Says("approve") for one in ("rso", "ceo")}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    """The toy laboratory's service; its classifier is off on the api surface."""
    model = checkpoint(tmp_path / "served")
    with surfaces(
        tmp_path / "surfaces", "--checkpoint", str(model), "--classifier-off", "api"
    ) as running:
        yield running


@pytest.fixture
def probed(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopingWorld]:
    """A world whose suite plans probes of that service, and a drill against it."""

    def with_probes(plain: dict[str, Any]) -> None:
        text = (ROOT / "toylab" / "safeguards.yaml").read_text()
        plain["safeguards"] = yaml.safe_load(text.replace("http://127.0.0.1:8091", service.url))
        for drill in plain["safeguards"]["drills"]:
            drill["settings"] = {"surfaces": str(service.home / "surfaces.json")}

    world = LoopingWorld(tmp_path / "world", suite=changed(SUITE_BYTES, with_probes))
    monkeypatch.setenv("REDLINE_DRILL_KEYS", str(world.root / "keys"))
    for _ in pointed_to(world, tmp_path / "world", monkeypatch):
        yield world


def add_at_hand(world: LoopingWorld) -> None:
    """What no probe looks at."""
    world.now = world.desk.now()
    rules = world.desk.rulebook.in_force(world.state)
    assert rules is not None
    from tests.support.safeguards import whole_evidence

    for piece in whole_evidence(rules, at=world.now):
        if piece.criterion in AT_HAND:
            world.add_piece(piece)


def switch_on(service: Running) -> None:
    on = {"classifier": {"app": True, "api": True}}
    write_switches(service.home, read_switches(service.home).model_copy(update=on))


def unmet(judgement: r.SafeguardsJudgement) -> dict[tuple[str, str], CriterionOutcome]:
    return {
        (row.requirement, row.surface): row.outcome
        for one in judgement.standards
        for row in one.criteria
        if row.outcome is not CriterionOutcome.MET
    }


def verify(bag: Any, **conf: Any) -> Any:
    names = {"run_id": None, "reason": None, "approve": False, "drill": None}
    return bag.dags["verify_safeguards"].test(run_conf=names | conf)


def test_a_classifier_that_is_off_on_one_surface_pauses_and_once_it_is_on_people_release(
    bag: Any, probed: LoopingWorld, service: Running
) -> None:
    add_at_hand(probed)
    with People(probed, **AGREED).answering():
        run = assess(bag, probed, CROSSED)
    found = states(run)
    assert found["collect_evidence"] == found["judge_safeguards"] == found["pause"] == "success"
    assert found["ask_for_permit"] == "skipped"
    (judgement,) = probed.of_kind(r.SafeguardsJudgement)
    assert unmet(judgement) == {("answers-monitored", "toy-api"): CriterionOutcome.NOT_MET}
    (report,) = probed.of_kind(r.SafeguardsReport)
    assert report.judgement.record in probed.state.judgements
    probes = [one.evidence for one in probed.of_kind(r.Evidence) if one.evidence.probe]
    assert len(probes) == 4
    assert all(one.attachments for one in probes)

    assert states(verify(bag))["judge_all"] == "skipped"  # nothing goes on because of safeguards
    switch_on(service)
    failed = max(one.collected_at for one in probes if not one.shows)
    decides = failed + 2 * CLOCK_TOLERANCE  # before that what speaks against it still decides
    probed.wait(lambda: probed.desk.now() > decides)
    with People(probed, **TOLD).answering():
        run = bag.dags["release_hold"].test(run_conf={"run_id": RUN, "reason": "it is on again"})
    assert run.state == "success", states(run)
    assert probed.of_kind(r.SafeguardsJudgement)[-1].holds
    assert not probed.state.runs[RUN].holds_in_force

    with People(probed, **APPROVED).answering():
        run = verify(bag, run_id=RUN, approve=True, drill="jailbreak", reason="a year is over")
    found = states(run)
    assert run.state == "success", found
    assert {found[one] for one in ("hold_drill", "judge_all", "attest_safeguards")} == {"success"}
    (drill,) = probed.of_kind(r.Drill)
    assert drill.gaps == []
    assert all(one.done for one in drill.steps)
    attestations = list(probed.store.list(f"runs/{RUN}/attestations"))
    assert len(attestations) == 2  # of the permit's judgement, and of the approved report
    service.process.terminate()
    service.process.wait(10)
    run = verify(bag)  # every day, for all that rests on safeguards
    assert states(run)["judge_all"] == "success"
    assert set(unmet(probed.of_kind(r.SafeguardsJudgement)[-1]).values()) == {
        CriterionOutcome.NOT_MET
    }
    hold = probed.wait(lambda: list(probed.state.runs[RUN].holds_in_force.values()))[0]
    assert "the safeguards no longer hold" in hold.reason


def test_a_group_of_probes_that_crashes_leaves_its_requirements_missing(
    bag: Any, probed: LoopingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.wiring import collecting

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("the worker is out of memory")

    monkeypatch.setattr(collecting, "run_probes", crash)
    add_at_hand(probed)
    with People(probed, **AGREED).answering():
        run = assess(bag, probed, CROSSED)
    found = states(run)
    assert found["collect_evidence"] == "failed"
    assert found["judge_safeguards"] == found["pause"] == "success"
    (judgement,) = probed.of_kind(r.SafeguardsJudgement)
    assert set(unmet(judgement).values()) == {CriterionOutcome.MISSING}
    assert probed.state.runs[RUN].holds_in_force


def test_a_drill_that_nobody_planned_is_refused_and_the_safeguards_are_verified_all_the_same(
    bag: Any, looping: LoopingWorld
) -> None:
    looping.add_evidence(collected_at=looping.desk.now())
    with People(looping, **TOLD).answering():
        assess(bag, looping, CROSSED, pauses=False)
    run = verify(bag, drill="weight_theft")
    found = states(run)
    assert found["hold_drill"] == "failed"
    assert found["judge_all"] == "success"
    assert found["attest_safeguards"] == "skipped"
    assert not looping.of_kind(r.Drill)


def test_what_lapses_or_was_added_is_judged_again_within_a_minute(
    bag: Any, looping: LoopingWorld
) -> None:
    looping.add_evidence(collected_at=looping.desk.now())
    with People(looping, **TOLD).answering():
        assess(bag, looping, CROSSED, pauses=False)
    before = len(looping.of_kind(r.SafeguardsJudgement))
    watch = bag.dags["watch_deadlines"]
    assert states(watch.test())["reopen_safeguards"] == "success"
    assert len(looping.of_kind(r.SafeguardsJudgement)) == before
    looping.now = looping.desk.now()
    looping.add_evidence()
    watch.test()
    assert len(looping.of_kind(r.SafeguardsJudgement)) == before + 1


@pytest.mark.parametrize(
    "conf",
    [{"approve": True}, {"run_id": "nobody"}, {"run_id": RUN}],
    ids=["approval of no run", "unknown run", "nothing is required"],
)
def test_a_verification_of_nothing_is_refused_by_its_first_task(
    bag: Any, looping: LoopingWorld, conf: dict[str, Any]
) -> None:
    looping.gate()
    looping.assess(1)
    run = verify(bag, **conf)
    found = states(run)
    assert run.state == "failed"
    assert found["plan_verification"] == "failed"
    assert not looping.of_kind(r.SafeguardsJudgement)


def test_an_officer_who_rejects_is_recorded_at_once_and_the_next_is_not_asked(
    bag: Any, looping: LoopingWorld
) -> None:
    looping.add_evidence(collected_at=looping.desk.now())
    with People(looping, **TOLD).answering():
        assess(bag, looping, CROSSED, pauses=False)
    assert not looping.state.runs[RUN].holds_in_force
    with People(looping, approve_safeguards_as_rso=Says("reject")).answering():
        run = verify(bag, run_id=RUN, approve=True)
    found = states(run)
    assert found["record_approve_safeguards_as_rso"] == "success"
    assert found["approve_safeguards_as_ceo"] == "skipped"
    assert found["attest_safeguards"] == "failed"
    hold = looping.wait(lambda: list(looping.state.runs[RUN].holds_in_force.values()))[0]
    assert "the rso rejects the safeguards" in hold.reason
