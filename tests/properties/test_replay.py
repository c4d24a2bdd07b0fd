"""Published evidence that gets worse never makes a red line safer (I1), over 10,000 cases."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.adapters.published_files import read_rules
from include.rsp.consistency import find_inconsistencies
from include.rsp.explanation import Record, explain
from include.rsp.published import PublishedResult
from include.rsp.replay import replay_model
from include.rsp.vocabulary import RedLineStatus
from tests.support.published import make_determination

RULES = read_rules()
PATH = named_file(POLICIES, RULES.policy)
POLICY = read_policy(PATH.read_bytes(), where=str(PATH))
RANK = {RedLineStatus.RULED_OUT: 0, RedLineStatus.NOT_RULED_OUT: 1, RedLineStatus.CROSSED: 2}
MANY = settings(max_examples=700, deadline=None, database=None)


@st.composite
def rows(draw: st.DrawFn) -> list[PublishedResult]:
    rules = draw(st.lists(st.sampled_from(RULES.evaluations), min_size=1, max_size=12))
    found = []
    for number, rule in enumerate(rules):
        limit = rule.rule_out or rule.rule_in or 1.0
        score = draw(st.none() | st.floats(0, 3).map(lambda part, limit=limit: part * limit))
        found.append(
            PublishedResult(
                row=number, model="M", framework="RSP v2.2",
                domain="CBRN" if rule.red_line.startswith("cbrn") else "Autonomy",
                evaluation=" ".join(rule.words), unit="x", score=score, threshold=None,
                threshold_kind="none", lower_is_capable=False, source="card",
            )
        )  # fmt: skip
    return found


def ranks(results: list[PublishedResult], **settings: float) -> dict[str, int]:
    done = replay_model(POLICY, RULES, results, **settings)  # type: ignore[arg-type]
    return {one.red_line: RANK[one.status] for one in done.lines}


def ruled_out(results: list[PublishedResult]) -> set[str]:
    return {line for line, rank in ranks(results).items() if rank == 0}


@MANY
@given(rows(), st.data())
def test_losing_a_score_never_rules_out(
    results: list[PublishedResult], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(results) - 1))
    lost = [*results]
    lost[at] = lost[at].model_copy(update={"score": None})
    crossed = replay_model(POLICY, RULES, [results[at]]).findings[0].finding == "crossed"
    if not crossed:
        assert ruled_out(lost) <= ruled_out(results)


@MANY
@given(rows(), st.data())
def test_more_capability_never_loosens(results: list[PublishedResult], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(results) - 1))
    rule = RULES.rule_for(results[at].evaluation)
    score = results[at].score
    if score is None or rule is None:
        return
    factor = data.draw(st.floats(0, 1) if rule.capability == "low" else st.floats(1, 4))
    more = [*results]
    more[at] = more[at].model_copy(update={"score": score * factor})
    before, after = ranks(results), ranks(more)
    assert all(after[line] >= before[line] for line in before)


@MANY
@given(rows(), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_buffer_never_loosens(
    results: list[PublishedResult], one: float, other: float
) -> None:
    small, large = (ranks(results, buffer=each) for each in sorted((one, other)))
    assert all(large[line] >= small[line] for line in small)


@MANY
@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(results: list[PublishedResult], random: object) -> None:
    mixed = [*results]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert replay_model(POLICY, RULES, mixed) == replay_model(POLICY, RULES, results)


@MANY
@given(rows(), st.data())
def test_a_repeated_row_never_rules_out(
    results: list[PublishedResult], data: st.DataObject
) -> None:
    again = data.draw(st.sampled_from(results))
    assert ruled_out([*results, again]) <= ruled_out(results)


@MANY
@given(rows(), st.data())
def test_another_unit_or_domain_never_rules_out(
    results: list[PublishedResult], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(results) - 1))
    strange = data.draw(
        st.sampled_from(["", "Cyber", "none known"]).map(lambda one: {"domain": one})
        | st.just({"unit": "percent_increase"})
    )
    other = [*results]
    other[at] = other[at].model_copy(update=strange)
    assert ruled_out(other) <= ruled_out(results)


@st.composite
def mixed_rows(draw: st.DrawFn) -> list[PublishedResult]:
    """Rows of three models, with units, limits and kinds in any mixture."""
    return [
        one.model_copy(
            update={
                "model": draw(st.sampled_from(["A", "B", "C"])),
                "domain": draw(st.sampled_from([one.domain, "CBRN", "Autonomy", "Cyber", ""])),
                "unit": draw(st.sampled_from(["x", "percent", "problems_of_42", "hours"])),
                "threshold": draw(st.sampled_from([None, 0.5, 2.0])),
                "threshold_kind": draw(st.sampled_from(["rule_in", "rule_out", "none"])),
                "source": draw(st.sampled_from(["A card p1", "B card p2"])),
            }
        )
        for one in draw(rows())
    ]


@settings(max_examples=500, deadline=None, database=None)
@given(mixed_rows(), st.lists(st.sampled_from(["ASL-2", "ASL-3", "none"]), min_size=3, max_size=3),
       st.randoms(use_true_random=False))  # fmt: skip
def test_the_order_of_rows_changes_no_explanation_and_no_inconsistency(
    results: list[PublishedResult], levels: list[str], random: object
) -> None:
    mixed = [*results]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    determined = [make_determination(*one) for one in zip("ABC", levels, strict=True)]
    one, other = (Record.of(POLICY, RULES, each, determined) for each in (results, mixed))
    held = RULES.under(POLICY)
    assert find_inconsistencies(held, results) == find_inconsistencies(held, mixed)
    for model in one.results:
        assert explain(one, model) == explain(other, model)
        assert explain(one, model).sentence
