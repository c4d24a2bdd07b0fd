"""What was published, replayed; and every way in which a CSV can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.adapters import published_files as files
from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.cli.main import app
from include.rsp.errors import InvalidDocument

LAW = read_policy(named_file(POLICIES, "anthropic-rsp-2.2").read_bytes(), where="RSP 2.2")
RESULTS = files.PUBLISHED / "published_results.csv"
HEADER = (
    "model,release_date,framework_version,domain,evaluation,threshold,threshold_direction,score,"
    "unit,ci_or_n,published_conclusion,source,threshold_kind,aggregation,note\n"
)
UPLIFT = "M,2026,RSP v2.2,CBRN,Acquisition uplift (ratio),2.8,gt,1.5,x,,,card,rule_out,,\n"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "results.csv"
    path.write_text(header + "".join(rows))
    return path


def replayed(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["replay", "--json", *arguments])
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.output)
    return found


def test_the_published_record_is_reproduced_where_the_rules_decide() -> None:
    found = replayed()
    assert (found["determined"], found["decided"], found["agree"]) == (6, 5, 5)
    assert found["judgement"] == 1


def test_conclusions_and_determinations_are_not_read_by_the_rules(tmp_path: Path) -> None:
    content = RESULTS.read_text()
    for word in ("cannot_rule_out", "middle_zone", "below", "above"):
        content = content.replace(f",{word},", ",other,")
    path = tmp_path / "results.csv"
    path.write_text(content)
    ours = [(one["model"], one["engine"]) for one in replayed()["models"]]  # type: ignore[attr-defined]
    theirs = replayed("--results", str(path))["models"]
    assert [(one["model"], one["engine"]) for one in theirs] == ours  # type: ignore[attr-defined]


def test_no_model_is_named_in_rules_or_code() -> None:
    places = [files.RULES, *(files.INCLUDE / "rsp").glob("*.py"), *files.INCLUDE.glob("cli/*.py")]
    for place in places:
        lines = [one for one in place.read_text().splitlines() if "source:" not in one]
        for name in ("opus", "sonnet", "haiku"):
            assert name not in "\n".join(lines).lower(), place


def test_the_sweep_prints_every_rule_and_buffer_and_who_differs() -> None:
    done = CliRunner().invoke(app, ["replay", "--sweep"])
    assert done.exit_code == 0
    assert len(done.output.splitlines()) == 1 + 3 * 7
    table = json.loads(CliRunner().invoke(app, ["replay", "--sweep", "--json"]).output)
    for one in table:
        assert len(one["differ"]) == one["decided"] - one["agree"]
        assert all(name in done.output for name in one["differ"][:2])


def test_a_model_that_nobody_knows_is_a_row_and_no_code(tmp_path: Path) -> None:
    (one,) = replayed("--results", str(written(tmp_path, UPLIFT)))["models"]  # type: ignore[misc]
    lines = {line["red_line"]: line["status"] for line in one["red_lines"]}
    assert lines["cbrn-3"] == "ruled_out"
    assert lines["ai-rnd-4"] == "not_ruled_out"
    assert one["engine"] == "ASL-3"
    assert not one["decided"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (UPLIFT.replace("1.5,x", "nan,x"), "score: got 'nan'"),
        (UPLIFT.replace("1.5,x", "many,x"), "score: got 'many'"),
        (UPLIFT.replace("1.5,x", "-1,x"), "score: got -1.0"),
        (UPLIFT.replace("1.5,x", "1.2,score_0_1"), "expected 0 to 1 in the unit"),
        (UPLIFT.replace("1.5,x", "1.2,proportion"), "expected 0 to 1 in the unit"),
        (UPLIFT.replace("1.5,x", "1.2,probability"), "expected 0 to 1 in the unit"),
        (UPLIFT.replace("1.5,x", "120,percent"), "expected 0 to 100"),
        (UPLIFT.replace("1.5,x", "43,problems_of_42"), "expected 0 to 42"),
        (UPLIFT.replace("1.5,x", "1,problems_of_0"), "unit: got 'problems_of_0'"),
        (UPLIFT.replace("1.5,x", "1.5,"), "unit: got ''"),
        (UPLIFT.replace("2.8,gt", "2.8,near"), "threshold_direction: got 'near'"),
        (UPLIFT.replace("2.8,gt", ",gt"), "both a limit and a direction"),
        (UPLIFT.replace("M,", ",", 1), "model: got ''"),
        ("M,2026\n", "another number of fields"),
    ],
)
def test_a_row_that_cannot_be_is_one_clear_error(tmp_path: Path, row: str, says: str) -> None:
    path = written(tmp_path, UPLIFT, row)
    with pytest.raises(InvalidDocument, match="line 3") as caught:
        files.read_results(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (UPLIFT.replace("2.8,gt", "2.8,GT"), {"direction": "gt", "threshold": 2.8}),
        (UPLIFT.replace("2.8,gt", "2.8,>="), {"direction": "ge"}),
        (UPLIFT.replace("2.8,gt", "2.8,≤"), {"direction": "le", "lower_is_capable": True}),
        (UPLIFT.replace("2.8,gt", ",none"), {"threshold": None}),
        (UPLIFT.replace("2.8,gt", "n/a,"), {"threshold": None}),
        (UPLIFT.replace("1.5,x", ","), {"score": None, "unit": ""}),
        (UPLIFT.replace("1.5,x", "Did not run,x"), {"score": None}),
        (UPLIFT.replace("1.5,x", "12,Hours"), {"unit": "hours"}),
        (UPLIFT.replace("1.5,x", "12,Problems of 42"), {"unit": "problems_of_42"}),
        (UPLIFT.replace("1.5,x", "12,%"), {"unit": "percent"}),
        (UPLIFT.replace("1.5,x", "-4,percent_points"), {"score": -4}),
        (UPLIFT.replace("1.5,x", "-0.2,normalised"), {"score": -0.2}),
        (UPLIFT.replace("1.5,x", "153,percent_increase"), {"score": 153}),
        (UPLIFT.replace("rule_out", "Rule-In"), {"threshold_kind": "rule_in"}),
        (UPLIFT.replace("Acquisition ", "Acquisition \u00a0"),
         {"evaluation": "Acquisition uplift (ratio)"}),
        (UPLIFT.replace("CBRN", ""), {"domain": ""}),
    ],
)  # fmt: skip
def test_a_row_that_is_spelled_otherwise_or_lacks_something_is_read(
    tmp_path: Path, row: str, expected: dict[str, object]
) -> None:
    (one,) = files.read_results(written(tmp_path, row, "," * HEADER.count(",") + "\n"))
    assert one.model_dump(include=set(expected)) == expected


def test_a_number_that_is_missing_never_rules_out(tmp_path: Path) -> None:
    for missing in (",x", "-,x", "not run,", ",%"):
        row = UPLIFT.replace("1.5,x", missing)
        (one,) = replayed("--results", str(written(tmp_path, UPLIFT, row)))["models"]  # type: ignore[misc]
        assert one["red_lines"][0]["status"] == "not_ruled_out", missing


def test_a_domain_in_another_spelling_still_rules_in(tmp_path: Path) -> None:
    row = "M,2026,RSP v2.2,cbrn,A new test,0.5,ge,0.6,accuracy,,,card,Rule-in,,\n"
    (one,) = replayed("--results", str(written(tmp_path, UPLIFT, row)))["models"]  # type: ignore[misc]
    assert (one["red_lines"][0]["status"], one["engine"]) == ("crossed", "ASL-3")


def test_a_model_is_one_however_its_name_is_spelled(tmp_path: Path) -> None:
    path = written(tmp_path, UPLIFT, UPLIFT.replace("M,", "m ,", 1))
    assert len(replayed("--results", str(path))["models"]) == 1  # type: ignore[arg-type]
    doubled = tmp_path / "determinations.csv"
    doubled.write_text(
        "model,determination,required_standard,published_reason\nM,d,ASL-2,r\nm,d,ASL-3,r\n"
    )
    with pytest.raises(InvalidDocument, match="each model once"):
        files.read_determinations(doubled)


def test_nothing_determined_and_nothing_restated_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "nothing.csv"
    path.write_text(",".join(files.DETERMINATION_COLUMNS) + "\n")
    assert files.read_determinations(path) == []
    path.write_text(",".join(files.RESTATEMENT_COLUMNS) + "\n")
    assert files.read_restatements(path) == []


def test_missing_columns_and_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match="'unit'"):
        files.read_results(written(tmp_path, header=HEADER.replace(",unit", "")))
    with pytest.raises(InvalidDocument, match="no rows"):
        files.read_results(written(tmp_path))
    with pytest.raises(InvalidDocument, match="cannot be read"):
        files.read_results(tmp_path / "nothing.csv")


def test_rules_that_contradict_themselves_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    text = files.RULES.read_text()
    for old, new, says in (
        ("    rule_out: 2.8\n", "", "no rule_out limit"),
        ("buffer: 0.1 ", "bufer: 0.1 ", "bufer"),
        ("red_line: cbrn-4", "red_line: cbrn-9", "cbrn-9"),
        ("saturated: true", "saturated: true\n    load_bearing: true", "unsaturated"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(InvalidDocument, match=says):
            files.read_rules(path).check_against(LAW)
