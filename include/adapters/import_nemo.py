"""Results of NVIDIA NeMo Evaluator: 0.1 and 0.2 (`results.yml`), 0.3 (a bundle, `results.jsonl`).

Up to 0.2 a container leaves an aggregate (`results`, `config`, `target`), in 0.2.8 with records of
its samples beside it. From 0.3 on a bundle `eval-….json` sums up `results.jsonl`, which has a row
for each problem and repeat. There a problem that could not be run has the reward 0.0, with the
error in `scoring_details`: here it has no score.
"""

from __future__ import annotations

import re
from typing import Any

from include.adapters import yaml_source
from include.adapters.import_rows import (
    MIB,
    SampleRows,
    Source,
    as_number,
    mapping,
    read_json,
    read_lines,
)
from include.rsp.delivered import Imported

BUNDLES = re.compile(r"0\.3\.\d+([.+-]?.*)?")
AGGREGATES = re.compile(r"0\.[12]\.\d+([.+-]?.*)?")
REWARD = "reward"
BROKEN = ("solve_failed", "infra_error", "graceful_error", "system_error")
"""Methods of scoring that stand for "was not run"."""
MOST_RESULT_BYTES = 64 * MIB
MOST_SAMPLE_BYTES = 512 * MIB
AGGREGATE = "an aggregate without samples"
ANOTHER = "Deliver the files as NeMo Evaluator wrote them, or the scores as CSV"


def read_nemo(
    results: Source,
    samples: Source | None,
    *,
    version: str,
    scorer: str | None,
    cluster: str | None,
) -> Imported:
    """The samples, and what the aggregate says.

    Args:
        version: as the statement says, for files that do not name the version that wrote them.
        scorer: the score that counts; null: the reward, or the only one.
        cluster: the key of a problem's metadata that names its family.

    Raises:
        InvalidDocument: an unknown version or shape, or files that contradict each other.
    """
    plain = _document(results)
    if "sdk_version" in plain:
        return _of_bundle(results, plain, samples, scorer=scorer, cluster=cluster)
    if not {"results", "config", "target"} <= plain.keys():
        raise results.refusal(
            f"the keys {sorted(plain)[:10]} (expected those of a bundle, or results, config and "
            "target)",
            ANOTHER,
        )
    return _of_aggregate(results, plain, samples, version=version, scorer=scorer, cluster=cluster)


def _document(source: Source) -> dict[str, Any]:
    if source.name.endswith(".json"):
        return read_json(source, most=MOST_RESULT_BYTES)
    try:
        plain = yaml_source.load(source.content)
    except yaml_source.Unreadable as error:
        raise source.refusal(str(error), ANOTHER) from error
    if not isinstance(plain, dict):
        raise source.refusal("no mapping of results", ANOTHER)
    return plain


def _check_version(source: Source, got: Any, known: re.Pattern[str], expected: str) -> str:
    if not isinstance(got, str) or not known.fullmatch(got):
        raise source.refusal(
            f"written by NeMo Evaluator {got!r} (expected {expected} for a file of this shape)",
            ANOTHER,
        )
    return got


def _of_bundle(
    results: Source,
    plain: dict[str, Any],
    samples: Source | None,
    *,
    scorer: str | None,
    cluster: str | None,
) -> Imported:
    version = _check_version(results, plain["sdk_version"], BUNDLES, "0.3.*")
    benchmark = mapping(plain.get("benchmark"))
    rows = SampleRows(samples or results)
    problems: set[int] = set()
    added = 0
    for number, line in [] if samples is None else read_lines(samples, most=MOST_SAMPLE_BYTES):
        problems.add(_add_row(rows, samples or results, number, line, scorer, cluster))
        added += 1
    stated = (plain.get("n_results"), benchmark.get("samples"))
    if samples is not None and stated != (added, len(problems)):
        raise samples.refusal(
            f"{added} rows of {len(problems)} problems (the bundle says {stated[0]} of "
            f"{stated[1]})",
            "Deliver the bundle and the rows of one run",
        )
    config = mapping(plain.get("config"))
    return Imported(
        samples=rows.samples(),
        model=config.get("model") if isinstance(config.get("model"), str) else None,
        version=version,
        notes=[AGGREGATE] if samples is None else [f"benchmark {benchmark.get('name')}"],
    )


def _add_row(
    rows: SampleRows,
    source: Source,
    number: int,
    line: dict[str, Any],
    scorer: str | None,
    cluster: str | None,
) -> int:
    problem, repeat = line.get("problem_idx"), line.get("repeat", 0)
    if type(problem) is not int or type(repeat) is not int:
        raise source.refusal(
            f"line {number}: problem_idx {problem!r}, repeat {repeat!r} (expected whole numbers)"
        )
    details = mapping(line.get("scoring_details"))
    value, error = _score(line, details, scorer)
    family, problem_with_family = _family(mapping(line.get("metadata")), cluster)
    rows.add(
        str(problem), repeat + 1, score=value, error=_broken(details) or error
        or problem_with_family, cluster=family,
    )  # fmt: skip
    return problem


def _score(
    line: dict[str, Any], details: dict[str, Any], scorer: str | None
) -> tuple[float | None, str | None]:
    """The value that counts, and why there is none."""
    if scorer in (None, REWARD):
        value = as_number(line.get(REWARD))
        return value, None if value is not None else f"the reward is {line.get(REWARD)!r}"
    found = mapping(details.get(f"scorer:{scorer}"))
    value = as_number(found.get(REWARD))
    if found.get("error"):
        return None, f"the scorer {scorer} broke: {found['error']}"
    return value, None if value is not None else f"no score by {scorer!r}"


def _broken(details: dict[str, Any]) -> str | None:
    """Why a row's reward of 0.0 is none: it was never run, or its judge broke."""
    if details.get("error") or details.get("error_category") or details.get("method") in BROKEN:
        what = details.get("error_category") or details.get("method") or "error"
        return f"{what}: {details.get('error')}"
    judge = mapping(details.get("judge"))
    if judge.get("error"):
        return f"the judge broke: {judge['error']}"
    return "it waits for its judge" if details.get("needs_judge") else None


def _family(metadata: dict[str, Any], cluster: str | None) -> tuple[str | None, str | None]:
    """The family that a row names, and what is wrong with that."""
    if cluster is None:
        return None, None
    found = metadata.get(cluster)
    if isinstance(found, str | int) and str(found):
        return str(found), None
    return None, f"no {cluster!r} in its metadata to tell its family by"


def _of_aggregate(
    results: Source,
    plain: dict[str, Any],
    samples: Source | None,
    *,
    version: str,
    scorer: str | None,
    cluster: str | None,
) -> Imported:
    written_by = mapping(mapping(plain.get("metadata")).get("versioning")).get("nemo_evaluator")
    _check_version(results, written_by or version, AGGREGATES, "0.1.* or 0.2.*")
    rows = SampleRows(samples or results)
    names: set[str] = set()
    for number, line in [] if samples is None else read_lines(samples, most=MOST_SAMPLE_BYTES):
        names.add(_add_record(rows, samples or results, number, line, scorer, cluster))
    if len(names) > 1:
        raise results.refusal(
            f"scores by {sorted(names)} (expected one)",
            "Name it as the study's scorer in the suite",
        )
    endpoint = mapping(mapping(plain["target"]).get("api_endpoint"))
    model = endpoint.get("model_id")
    return Imported(
        samples=rows.samples(),
        model=model if isinstance(model, str) else None,
        version=written_by,
        notes=[AGGREGATE] if samples is None else sorted(names),
    )


def _add_record(
    rows: SampleRows,
    source: Source,
    number: int,
    line: dict[str, Any],
    scorer: str | None,
    cluster: str | None,
) -> str:
    """Add a record of 0.2.8; the name of its score."""
    name, query = line.get("id"), line.get("sub_query_id", 0)
    if not isinstance(name, str) or query != 0:
        raise source.refusal(
            f"line {number}: id {name!r}, sub_query_id {query!r} (expected a text and 0: turns and "
            "repeats of one sample cannot be told apart)",
            ANOTHER,
        )
    said = line.get("score_name")
    score, error = as_number(line.get("score")), None
    if scorer is not None and said != scorer:
        score, error = None, f"scored by {said!r} (expected {scorer!r})"
    family, problem = _family(line, cluster)
    rows.add(name, 1, score=score, error=error or problem, cluster=family)
    return str(said)
