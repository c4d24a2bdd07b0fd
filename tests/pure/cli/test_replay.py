"""`rsp replay` for a person, and over files of models, units and levels that nobody has seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from include.adapters.policy_files import POLICIES, named_file
from include.adapters.published_files import PUBLISHED
from include.cli.main import app

HEADER = (
    "model,release_date,framework_version,domain,evaluation,threshold,threshold_direction,score,"
    "unit,ci_or_n,published_conclusion,source,threshold_kind,aggregation,note"
)
UNSEEN = [
    "Nova 1,2027,RSP v9.1,Persuasion,Change of view,,none,-4.25,percent_points,,,N card p1,,,",
    "Nova 1,2027,RSP v9.1,,Time horizon,,,55.5,hours,,,N card p2,,,",
    "nova 1,2027,,AI R&D,A ladder of tasks,,none,3,score,,,N card p3,trigger,max,snapshot 1",
    "Nova 1,2027,,AI R&D,A ladder of tasks,,none,3.5,score,,,N card p3,trigger,max,snapshot 2",
    "Nova 2,2027,RSP v9.1,CBRN,Acquisition uplift (ratio),2.8,GT,1.5,ratio,,,N card p4,rule_out,,",
    "Nova 2,2027,RSP v9.1,Autonomy,SWE-bench hard,,none,not run,,,,N card p5,,,",
    "Nova 3,2027,RSP v9.1,Autonomy,Kernels,,none,55,percent,,,N card p6,,,",
]
DETERMINED = ["NOVA 1,d,asl-2 (not ASL-3),r", "Nova 2,d,Tier 2,", "Nova 3,d,ASL-9,", "Nova 4,d,,"]


def run(tmp_path: Path, rows: list[str], *more: str, determined: list[str] = DETERMINED) -> Result:
    results, published = tmp_path / "results.csv", tmp_path / "determinations.csv"
    results.write_text("\n".join([HEADER, *rows]) + "\n")
    published.write_text(
        "\n".join(["model,determination,required_standard,published_reason", *determined]) + "\n"
    )
    return CliRunner().invoke(
        app, ["replay", "--results", str(results), "--determinations", str(published), *more]
    )


def test_what_nobody_has_seen_is_judgement_that_acts_as_the_higher_level(tmp_path: Path) -> None:
    done = run(tmp_path, UNSEEN, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    for one in found["models"]:
        assert (one["engine"], one["decided"], one["decided_by"]) == ("ASL-3", False, "judgement")
        assert one["explained_by"] == "judgement"
        assert one["explanation"]
    assert [one["published_level"] for one in found["models"]] == ["ASL-2", None, None]
    assert (found["determined"], found["judgement"], found["not_comparable"]) == (1, 1, 2)
    assert found["not_reported"] == ["Nova 4"]


def test_the_text_has_one_headline_for_each_model_and_a_count(tmp_path: Path) -> None:
    done = run(tmp_path, UNSEEN)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert "Nova 1: judgement, until then as ASL-3; published ASL-2: left to judgement" in lines
    assert "  published under RSP v9.1; held here to anthropic-rsp 2.2" in lines
    assert "  IN DOUBT, see below: row 8 (unit_does_not_fit)" in lines
    assert lines[-1] == (
        "Of 1 determined models the rules decide 0; 0 of these agree; 1 left to judgement. "
        "2 not comparable."
    )
    assert all(len(line) <= 100 for line in lines)


def test_the_sweep_reads_what_nobody_has_seen(tmp_path: Path) -> None:
    assert run(tmp_path, UNSEEN, "--sweep").exit_code == 0


def test_the_published_record_prints_what_explains_each_answer() -> None:
    done = CliRunner().invoke(app, ["replay"])
    assert done.output.splitlines()[-1] == (
        "Of 6 determined models the rules decide 5; 5 of these agree; 1 left to judgement."
    )
    assert "What does not fit together:" in done.output
    assert all(len(line) <= 100 for line in done.output.splitlines())
    found = json.loads(CliRunner().invoke(app, ["replay", "--json"]).output)
    kinds = [one["explained_by"] for one in found["models"] if one["published"]]
    assert kinds == ["numbers"] * 5 + ["relative_comparison"]
    assert len(found["inconsistencies"]) == 5
    assert all(one["next_steps"] for one in found["inconsistencies"])
    assert all(len(one["next_steps"]) == len(one["flags"]) for one in found["restated"])


def test_the_policy_may_be_a_file(tmp_path: Path) -> None:
    law = tmp_path / "law.yaml"
    law.write_bytes(named_file(POLICIES, "anthropic-rsp-2.2").read_bytes())
    named, given = (
        CliRunner().invoke(app, ["replay", "--policy", one])
        for one in ("anthropic-rsp-2.2", str(law))
    )
    assert given.exit_code == 0
    assert given.output == named.output


def test_rules_that_do_not_fit_the_policy_are_refused_with_a_next_step() -> None:
    done = CliRunner().invoke(app, ["replay", "--policy", "toylab-1.0"])
    assert done.exit_code == 1
    assert "Give rules for it with --rules, or leave --policy out." in str(done.exception)


@pytest.mark.parametrize("option", ["--determinations", "--restatements"])
@pytest.mark.parametrize("more", [[], ["--sweep"]])
def test_a_path_that_is_not_there_is_seen_by_the_sweep_too(option: str, more: list[str]) -> None:
    done = CliRunner().invoke(app, ["replay", option, "nowhere.csv", *more])
    assert "nowhere.csv cannot be read" in str(done.exception)


def test_determinations_change_no_answer_only_what_is_said_of_it(tmp_path: Path) -> None:
    rows = (PUBLISHED / "published_results.csv").read_text().splitlines()[1:]
    engine = ("model", "engine", "decided", "decided_by", "because", "red_lines", "findings")
    answers = []
    for determined in ([], ["Claude Opus 4,d,ASL-2,r"], ["Claude Opus 4,d,nothing,r"]):
        found = json.loads(run(tmp_path, rows, "--json", determined=determined).output)
        answers.append([{name: one[name] for name in engine} for one in found["models"]])
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("row", [UNSEEN[0].replace("-4.25", "many"), "Nova 1,2027"])
def test_a_malformed_row_is_one_clear_error(tmp_path: Path, row: str) -> None:
    done = run(tmp_path, [*UNSEEN, row])
    assert done.exit_code == 1, "the entry point turns it into exit code 3"
    assert f"line {len(UNSEEN) + 2}" in str(done.exception)
