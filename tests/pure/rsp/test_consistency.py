"""Published rows that do not fit together, and the ones that do."""

from __future__ import annotations

import pytest

from include.adapters import published_files as files
from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.consistency import find_doubts, find_inconsistencies
from include.rsp.restatement import Flag
from tests.support.published import make_result

STATED = files.read_rules()
LAW = read_policy(named_file(POLICIES, STATED.policy).read_bytes(), where=STATED.policy)
RULES = STATED.under(LAW)
RESULTS = files.read_results(files.PUBLISHED / "published_results.csv")
TEST = "a test that no rule names"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"threshold": 4.5, "direction": "lt"}, {"threshold": 2.5, "direction": "lt"},
         [Flag.LIMIT_MOVED]),
        ({"threshold": 5, "direction": "lt"}, {"threshold": 5, "direction": "le"},
         [Flag.LIMIT_MOVED]),
        ({"threshold_kind": "rule_in"}, {"threshold_kind": "rule_out"}, [Flag.RULE_KIND_CHANGED]),
        ({"threshold_kind": "rule_in"}, {"threshold_kind": "none"}, []),
        ({"unit": "problems_of_42"}, {"unit": "problems_of_45"}, [Flag.DENOMINATOR_CHANGED]),
        ({"unit": "normalised"}, {"unit": "raw"}, [Flag.UNIT_CHANGED]),
        ({"unit": "percent"}, {"unit": "percent_points"}, [Flag.UNIT_CHANGED]),
        ({"unit": "percent"}, {"unit": "score_0_1"}, []),
        ({"unit": "x"}, {"unit": "ratio"}, []),
        ({"score": 16.53}, {"score": 16.53}, [Flag.ANOTHER_MODELS_VALUE]),
        ({"score": 0.69}, {"score": 0.69}, []),
        ({"score": 100}, {"score": 100}, []),
        ({"score": 0}, {"score": 0}, []),
        ({"score": None}, {"score": None}, []),
        ({"model": "A"}, {"model": "a", "score": 2.1, "source": "B card"}, [Flag.WITHIN]),
        ({"model": "A"}, {"model": "A", "score": 3, "source": "B card"}, [Flag.OVER_TOLERANCE]),
        ({"model": "A"}, {"model": "A", "score": 2.1}, [Flag.SNAPSHOTS_DIFFER]),
        ({"model": "A"}, {"model": "A", "score": 3, "aggregation": "max"}, []),
    ],
)  # fmt: skip
def test_two_rows_of_one_evaluation(
    one: dict[str, object], other: dict[str, object], expected: list[Flag]
) -> None:
    rows = [
        make_result(row=1, **{"model": "A", "evaluation": TEST, **one}),
        make_result(row=2, **{"model": "B", "evaluation": TEST.upper(), **other}),
    ]
    found = find_inconsistencies(RULES, rows)
    assert [flag for each in found for flag in each.flags] == expected
    assert all(each.rows == [1, 2] and each.next_steps for each in found)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"unit": "x", "threshold": 100, "direction": "ge"}, []),
        ({"unit": "x", "threshold": 50, "direction": "ge"}, [Flag.LIMIT_NOT_THE_RULES]),
        ({"unit": "x", "threshold": 100, "direction": "le", "lower_is_capable": True},
         [Flag.LIMIT_NOT_THE_RULES]),
        ({"unit": "percent"}, [Flag.UNIT_DOES_NOT_FIT]),
        ({"unit": "percent", "score": None}, []),
        ({"unit": "percent_increase"}, [Flag.UNIT_DOES_NOT_FIT]),
        ({"domain": "CBRN"}, [Flag.DOMAIN_DOES_NOT_FIT]),
        ({"domain": "AI-RnD"}, []),
        ({"domain": "none known"}, [Flag.DOMAIN_DOES_NOT_FIT]),
        ({"evaluation": "SWE-bench", "unit": "hours", "score": 12}, [Flag.UNIT_DOES_NOT_FIT]),
        ({"evaluation": TEST, "threshold": 2, "direction": "ge"}, [Flag.UNCOUNTED]),
        ({"evaluation": TEST, "threshold": 2, "direction": "ge", "domain": "none known",
          "threshold_kind": "rule_in"}, [Flag.UNCOUNTED]),
        ({"evaluation": TEST, "threshold": 2, "direction": "ge", "threshold_kind": "rule_in"}, []),
        ({"evaluation": TEST, "threshold": 3, "direction": "ge"}, []),
    ],
)  # fmt: skip
def test_a_row_that_was_perhaps_held_to_the_wrong_limit_puts_the_answer_in_doubt(
    changed: dict[str, object], expected: list[Flag]
) -> None:
    domain = "CBRN" if changed.get("evaluation") == TEST else "Autonomy"
    row = make_result(row=7, **{"evaluation": "kernels", "domain": domain, **changed})
    found = find_inconsistencies(RULES, [row])
    assert [flag for each in found for flag in each.flags] == expected
    assert find_doubts(found, [row]) == ({7: expected} if expected else {})
    assert find_doubts(found, [make_result(row=8)]) == {}


def test_a_value_that_moves_across_a_limit_between_rows_reopens_the_case() -> None:
    rows = [
        make_result(row=1, evaluation="quadruped", domain="Autonomy", score=1.25),
        make_result(row=2, evaluation="quadruped", domain="Autonomy", score=0.769, source="B p3"),
    ]
    (one,) = find_inconsistencies(RULES, rows)
    assert one.flags == [Flag.DECISION_CHANGING, Flag.OVER_TOLERANCE]


def test_the_published_rows_have_five_things_to_ask_about() -> None:
    found = [(one.rows[0], one.flags) for one in find_inconsistencies(RULES, RESULTS)]
    assert found == [
        (5, [Flag.RULE_KIND_CHANGED]),
        (7, [Flag.DENOMINATOR_CHANGED]),
        (12, [Flag.DENOMINATOR_CHANGED]),
        (21, [Flag.RULE_KIND_CHANGED]),
        (34, [Flag.LIMIT_MOVED]),
    ]


def test_nothing_published_has_nothing_to_ask_about() -> None:
    assert find_inconsistencies(RULES, []) == []


@pytest.mark.parametrize(
    ("names", "doubted"),
    [
        (["SWE-bench Verified (hard subset)", "SWE-bench Verified", "swe-bench  verified"], []),
        (["AI suite 1: novel compiler (basic)", "AI suite 2: novel compiler (advanced)"], []),
        (["SWE-bench Verified", "SWE-bench Verified (hard)", "SWE-bench Multimodal"], [3]),
        (["SWE-bench Verified", "SWE-bench Pro"], [1, 2]),
        (["SWE-bench"], []),
        (["Kernels survey", "Survey of use", "Another survey"], [1]),
    ],
)
def test_a_rule_that_takes_evaluations_of_several_names_is_in_doubt(
    names: list[str], doubted: list[int]
) -> None:
    extra = [
        make_result(row=9, model="X", evaluation="kernels", score=None, domain="Autonomy"),
        make_result(row=10, model="Y", evaluation="kernels", score=None, domain="Autonomy"),
    ]
    rows = [
        make_result(row=number, model=f"M{number}", evaluation=name, score=0.1 * number,
                    domain="Autonomy")
        for number, name in enumerate(names, start=1)
    ]  # fmt: skip
    doubts = find_doubts(find_inconsistencies(RULES, [*rows, *extra]), rows)
    assert doubts == {row: [Flag.NAME_DIFFERS] for row in doubted}
