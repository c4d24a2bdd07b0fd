"""Things to test with; every argument has a safe default, so a test names only what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import yaml
from numpy.typing import ArrayLike

from include.adapters.policy_files import POLICIES, SUITES, named_file, read_policy, read_suite
from include.rsp.canonical import digest_of
from include.rsp.checkpoint import CheckpointManifest
from include.rsp.finding import Evidence
from include.rsp.policy import Policy
from include.rsp.policy_parts import Standard
from include.rsp.results import EvaluationRun, Sample
from include.rsp.safeguard_evidence import SafeguardEvidence
from include.rsp.statistics import Observations
from include.rsp.suite import Evaluation, Suite
from include.rsp.vocabulary import ResultStatus, SurfaceKind
from tests.support.fitting import elicited, fit

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
CHECKPOINT = "sha256:" + "c" * 64
X = 2.6e9
POLICY_BYTES = named_file(POLICIES, "toylab").read_bytes()
SUITE_BYTES = named_file(SUITES, "toylab").read_bytes()


def toy_policy(change: Callable[[dict[str, Any]], None] | None = None) -> Policy:
    """The toy laboratory's policy, changed as a test needs it."""
    return read_policy(changed(POLICY_BYTES, change), where="test policy")


def toy_suite(change: Callable[[dict[str, Any]], None] | None = None) -> Suite:
    """The toy laboratory's suite, changed as a test needs it."""
    return read_suite(changed(SUITE_BYTES, change), where="test suite")


def changed(content: bytes, *changes: Callable[[dict[str, Any]], None] | None) -> bytes:
    """YAML after changes to the plain data in it."""
    if not any(changes):
        return content
    plain = yaml.safe_load(content)
    for change in changes:
        if change is not None:
            change(plain)
    return yaml.safe_dump(plain).encode()


def with_every_surface(plain: dict[str, Any]) -> None:
    """One surface of each kind, each with an owner of its own."""
    plain["safeguards"] = {
        "surfaces": [
            {"id": f"on-{kind.value.replace('_', '-')}", "kind": kind.value,
             "owner": f"{kind.value.replace('_', '-')}-team", "text": "made up"}
            for kind in SurfaceKind
        ],
        "owners": dict.fromkeys(
            ("asl-3-deployment", "asl-3-security", "toy-asl-3"), "safeguards-team"
        ),
    }  # fmt: skip


def with_deletion(plain: dict[str, Any]) -> None:
    """Give the policy a response that locks the weights and asks whether to delete them."""
    plain["responses"] = [
        {
            "id": "delete", "kind": "consider_deletion", "clause": "toylab 7", "after": "pause",
            "condition": "it is too dangerous", "actions": ["lock_weights", "consider_deletion"],
            "people": ["ceo"], "resume_when": None,
        }
    ]  # fmt: skip


def with_preliminary(plain: dict[str, Any]) -> None:
    """Let the policy ask first whether a model is notably more capable."""
    plain["preliminary"] = {"clause": "toylab 3.4", "compute_ratio": 4, "months": 6}


def with_a_screening_test(plain: dict[str, Any]) -> None:
    """Let the suite answer that with its second evaluation."""
    plain["evaluations"][1]["notable_gain"] = 0.1


def small_suite(
    policy: str, lines: Iterable[str], *, combined: Iterable[str] = (), **ratios: dict[str, float]
) -> Suite:
    """A made-up suite: one load-bearing evaluation for each line, named `on-<line>`.

    `combined` are the lines that the policy leaves open and this suite fills in; `ratios` are the
    `due_ratios` and `ceilings` where the policy gives none.
    """

    def change(plain: dict[str, Any]) -> None:
        one = plain["evaluations"][0]
        plain |= {"id": "made-up", "policy": policy, **ratios}
        plain["combine"] = dict.fromkeys(combined, "all_load_bearing")
        plain["evaluations"] = [one | {"id": f"on-{line}", "red_line": line} for line in lines]
        with_every_surface(plain)

    return toy_suite(change)


def all_shown(
    standard: Standard, among: Iterable[Standard], *, shows: bool = True
) -> dict[str, SafeguardEvidence]:
    """Evidence on every criterion of some standards, made out to one of them."""
    every = [criterion for one in among for criterion in one.criteria]
    pieces = [
        SafeguardEvidence(
            standard=standard.id,
            criterion=criterion.id,
            type=criterion.evidence,
            shows=shows,
            statement="seen",
            collected_at=START,
            collector="somebody",
            simulated=True,
        )
        for criterion in every
    ]
    return {digest_of(piece): piece for piece in pieces}


def clauses(plain: Any) -> Iterator[str]:
    """Every clause in plain data, however deep."""
    if isinstance(plain, dict):
        if "clause" in plain:
            yield plain["clause"]
        for inner in plain.values():
            yield from clauses(inner)
    elif isinstance(plain, list):
        for inner in plain:
            yield from clauses(inner)


ADDITION = "two-digit-addition"


def observed(scores: ArrayLike, clusters: ArrayLike | None = None, **more: Any) -> Observations:
    """Observations in which each sample is a problem of its own, or of the clusters given."""
    values = np.array(scores, dtype=np.float64)
    names = np.array(
        [f"p{index}" for index in range(values.size)] if clusters is None else clusters,
        dtype=np.str_,
    )
    return Observations(values, more.pop("problems", names), names, **more)


def make_samples(right: int, of: int = 200, *, errors: int = 0) -> list[Sample]:
    """`right` correct answers of `of`, the last `errors` of them errors."""
    return [
        Sample(
            sample_id=f"p{index:04d}",
            epoch=1,
            score=None if index >= of - errors else float(index < right),
            error="crashed" if index >= of - errors else None,
        )
        for index in range(of)
    ]


def make_run(evaluation: Evaluation, /, **changes: Any) -> EvaluationRun:
    """A complete, fresh, well-controlled run of an evaluation."""
    plain: dict[str, Any] = {
        "job": f"{evaluation.id}-0123456789ab",
        "evaluation": evaluation.id,
        "evaluation_version": evaluation.version,
        "checkpoint": CHECKPOINT,
        "variant": "final",
        "status": ResultStatus.COMPLETE,
        "problem": None,
        "started_at": START + timedelta(minutes=1),
        "finished_at": START + timedelta(minutes=2),
        "attempts": 1,
        "elicitation": elicited(evaluation),
        **dict(fit(evaluation)),
        "samples": None,
        "log": None,
    }
    return EvaluationRun.model_validate(plain | changes)


def make_evidence(
    evaluation: Evaluation, right: int, /, *, valid: bool | None = True, **changes: Any
) -> Evidence:
    """Evidence in which `right` of all samples are correct."""
    return Evidence(
        run=make_run(evaluation, **changes),
        samples=make_samples(right, evaluation.dataset_samples),
        valid=valid,
    )


def make_all_evidence(
    suite: Suite, *, addition: int = 5, maximum: int = 10, copying: int = 100
) -> dict[str, Evidence]:
    """Evidence for every evaluation of the toy suite; by default nothing is near a limit."""
    right = {ADDITION: addition, "maximum": maximum, "copying": copying}
    return {one.id: make_evidence(one, right[one.id]) for one in suite.evaluations}


def make_manifest(multiple: float = 1, **changes: Any) -> CheckpointManifest:
    """The manifest of a checkpoint at a multiple of the base compute."""
    plain: dict[str, Any] = {
        "format": "redline/checkpoint-manifest@1",
        "run_id": "run-1",
        "checkpoint_id": f"x{multiple:g}",
        "parent": None,
        "step": int(16 * multiple),
        "training_flop": X * multiple,
        "algorithmic_efficiency": 1.0,
        "effective_compute": X * multiple,
        "created_at": START,
        "variants": [{"name": "final", "file": "weights.npz"}],
        "files": [{"path": "weights.npz", "sha256": CHECKPOINT, "bytes": 3}],
    }
    return CheckpointManifest.model_validate(plain | changes)
