"""Deliveries of results, as an institute makes them; every argument has a safe default."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from include.adapters import bootstrap
from include.adapters.delivery_signature import sign_statement
from include.adapters.evaluation import JobRequest
from include.adapters.policy_files import read_policy
from include.adapters.signing import KeyFile
from include.rsp import records as r
from include.rsp.adoption import offices_of
from include.rsp.canonical import canonical_bytes, digest_bytes, iso
from include.rsp.delivered import SIGNATURE, STATEMENT, DeliveredResults
from include.rsp.suite import Evaluation
from include.wiring import assessment, evaluating
from tests.support.factories import (
    ADDITION,
    CHECKPOINT,
    POLICY_BYTES,
    START,
    SUITE_BYTES,
    changed,
    toy_suite,
)
from tests.support.fitting import DONE
from tests.support.world import OFFICE_USERS, World

HOLDER = "institute-a"
COLUMNS = {"sample_id": "participant", "score": "points"}
TRIAL = {**COLUMNS, "group": "arm", "error": "remark"}


def with_a_study(plain: dict[str, Any]) -> None:
    """Let people run the first evaluation, and report shares."""
    one = plain["evaluations"][0]
    for name in ("inspect", "positive_control", "null_control", "dataset", "environment"):
        one.pop(name)
    one["elicitation_required"] = ["variant", "people", "hours"]
    one["study"] = {
        "formats": ["csv", "parquet", "inspect", "lm-eval", "nemo-evaluator"],
        "due_days": 30, "instructions": "Deliver one row for each problem.",
    }  # fmt: skip


def as_uplift_trial(plain: dict[str, Any]) -> None:
    """Let it be a trial of two arms, measured by the ratio of their means."""
    with_a_study(plain)
    plain["evaluations"][0] |= {
        "method": "ratio_of_means@1", "metric": "uplift", "unit": "points", "score_max": 100,
        "dataset_samples": 40, "minimum_samples": 36, "max_error_rate": 0.1,
        "limits": {"rule_out": 2.0, "rule_in": 2.0, "buffer": 0.2},
    }  # fmt: skip


def study(change: Callable[[dict[str, Any]], None] = with_a_study, **more: Any) -> Evaluation:
    """The toy suite's first evaluation as a study; `more` are fields of its `study`."""

    def both(plain: dict[str, Any]) -> None:
        change(plain)
        plain["evaluations"][0]["study"] |= more

    return toy_suite(both).evaluation(ADDITION)


def csv_of(rows: list[dict[str, Any]]) -> bytes:
    """A CSV with the header that its first row gives."""
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode()


def shares_csv(right: int = 5, of: int = 200) -> bytes:
    """One row for each problem, `right` of them solved."""
    return csv_of(
        [{"participant": f"p{one:04d}", "points": f"{one < right:d}"} for one in range(of)]
    )


def trial_csv(*, treatment: float = 50.0, control: float = 49.0, of: int = 40) -> bytes:
    """A trial of two arms whose scores scatter by two points around their means."""
    return csv_of(
        [
            {
                "participant": f"p{one:03d}",
                "arm": "treatment" if one % 2 else "control",
                "points": f"{(treatment if one % 2 else control) + (one // 2 % 5) - 2:g}",
                "remark": "",
                "age": "30",
            }
            for one in range(of)
        ]
    )


def stated_plain(files: Mapping[str, tuple[str, bytes]], **more: Any) -> dict[str, Any]:
    """A statement about files by name: (kind, content)."""
    return {
        "format": "redline/delivered-results@1",
        "evaluation": ADDITION, "evaluation_version": "1", "checkpoint": CHECKPOINT,
        "variant": "final",
        "producer": {"organisation": "Institute A", "holder": HOLDER},
        "engine": "csv", "engine_version": "form 1", "model": None,
        "started_at": iso(START + timedelta(minutes=1)),
        "finished_at": iso(START + timedelta(minutes=2)),
        "elicitation": DONE,
        "conditions": {"environment": {}, "positive_control": None, "null_control": None},
        "files": [
            {"name": name, "kind": kind, "sha256": digest_bytes(content), "bytes": len(content)}
            for name, (kind, content) in files.items()
        ],
        "columns": COLUMNS,
    } | more  # fmt: skip


def stated(files: Mapping[str, tuple[str, bytes]] | None = None, **more: Any) -> DeliveredResults:
    """The statement itself."""
    given = files or {"trial.csv": ("csv", shares_csv())}
    return DeliveredResults.model_validate_json(json.dumps(stated_plain(given, **more)))


def write_delivery(
    folder: Path,
    key: KeyFile,
    files: Mapping[str, tuple[str, bytes]] | None = None,
    *,
    signed_at: datetime = START + timedelta(minutes=3),
    **more: Any,
) -> DeliveredResults:
    """A signed delivery in a folder."""
    given = files or {"trial.csv": ("csv", shares_csv())}
    said = stated(given, **more)
    content = canonical_bytes(said)
    folder.mkdir(parents=True)
    for name, (_, held) in given.items():
        (folder / name).write_bytes(held)
    (folder / STATEMENT).write_bytes(content)
    envelope = sign_statement(key, content, at=signed_at)
    (folder / SIGNATURE).write_bytes(canonical_bytes(envelope))
    return said


def evaluator_key(root: Path, holder: str = HOLDER) -> KeyFile:
    """A producer's key; the same one for the same holder."""
    return KeyFile.create(root / f"{holder}.pem")


def trust_with(root: Path, *holders: str, at: datetime = START) -> r.TrustRoot:
    """A trust root that knows evaluators, in the place where a `World` finds it."""
    folders = bootstrap.KeyFolders(root)
    offices = offices_of(read_policy(POLICY_BYTES, where="policy"))
    return bootstrap.make_trust_root(
        folders, offices, simulated=True, at=at, users=OFFICE_USERS,
        evaluators={one: evaluator_key(root, one).pem for one in holders},
    )  # fmt: skip


def study_world(
    root: Path,
    change: Callable[[dict[str, Any]], None] = with_a_study,
    *,
    now: datetime = START,
    **more: Any,
) -> World:
    """A world in which people run the load-bearing evaluation, and an institute may deliver."""

    def both(plain: dict[str, Any]) -> None:
        change(plain)
        plain["evaluations"][0]["study"] |= more

    trust_with(root / "keys", HOLDER, "institute-b", at=now)
    return World(root, suite=changed(SUITE_BYTES, both), now=now)


def waiting_run(world: World) -> tuple[str, JobRequest]:
    """An assessment that waits for the study: its id, and what is asked for."""
    world.gate()
    world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    assessment.pre_flight(world.desk, key)
    return key, evaluating.job_request(world.desk, key, ADDITION)


def deliver(world: World, request: JobRequest, name: str, /, **more: Any) -> DeliveredResults:
    """Put a delivery into the inbox of a world; a minute after it was planned."""
    holder = more.pop("holder", HOLDER)
    plain = {
        "checkpoint": request.checkpoint,
        "started_at": iso(world.now), "finished_at": iso(world.now),
        "signed_at": world.now,
        "producer": {"organisation": holder.title(), "holder": holder},
    } | more  # fmt: skip
    key = evaluator_key(world.root / "keys", more.pop("key", holder))
    plain.pop("key", None)
    return write_delivery(world.root / "inbox" / request.job / name, key, **plain)
