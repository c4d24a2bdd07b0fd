"""Seconds by stage from a checkpoint's landing to its verdict, evaluations taken out.

`make bench`. In the same Airflow and the same run, an empty DAG of the same hops; beside both, one
Great Expectations validation measured alone. Prints a table; `--write` puts it into README.md.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.envelopes import Sealer, TrustedKeys
from client.gate import TrainingGate
from client.publish import Declared, publish
from include.adapters import bootstrap
from include.adapters.ledger import LedgerReader
from include.adapters.policy_files import SUITES, read_suite
from include.adapters.store import DirectoryStore
from include.cli import stack
from include.cli.main import init
from include.local_stack.layout import Layout
from include.local_stack.lifecycle import up
from include.local_stack.rest import AirflowRest
from toylab.training import BASE_STEPS, Training

ROOT = Path(__file__).resolve().parents[1]
RUN_ID = "bench-run"
BEGIN, END = "<!-- bench -->", "<!-- end of bench -->"
MULTIPLES = (1, 4, 16)
STAGES = ("register", "plan", "pre_flight", "evaluate", "validate", "compare", "verdict")
Span = dict[str, float]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8095)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redline-bench-") as folder:
        home = Path(folder)
        dags = home / "dags"
        shutil.copytree(ROOT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "benchmarks" / "empty_dags.py", dags)
        layout = Layout.of(ROOT, home=home / "lab", api_port=options.port, dags_folder=dags)
        init(store=str(layout.store), keys=layout.keys)
        try:
            handle = up(layout, programs=[stack.notary_program(layout)], say=print)
            with handle.rest() as rest:
                measure_empty(rest, "warm-up")
                empty = [measure_empty(rest, f"before-{n}") for n in range(3)]
                real = measure_real(layout, rest)
                empty += [measure_empty(rest, f"after-{n}") for n in range(2)]
        finally:
            stack.down(home / "lab", options.port)
    table = render(real, empty, validation_alone())
    print(table)
    if options.write:
        write(table)
    return 0


def measure_empty(rest: AirflowRest, key: str) -> Span:
    """One run of the empty pair."""
    wait(lambda: rest.find("dags/empty_assess"))
    run = rest.trigger("empty_register", {"key": key})
    register = wait(lambda: ended(rest, "empty_register", str(run["dag_run_id"])))
    assess = wait(lambda: partition_run(rest, "empty_assess", key))
    wait(lambda: ended(rest, "empty_assess", assess["dag_run_id"]))
    return spans(rest, "empty_assess", assess["dag_run_id"], register["queued_at"])


def measure_real(layout: Layout, rest: AirflowRest) -> list[Span]:
    """Publish really trained checkpoints one after the other; the spans of their assessments."""
    folders = bootstrap.KeyFolders(layout.keys)
    gate = TrainingGate(
        store=layout.store,
        run_id=RUN_ID,
        keys=TrustedKeys.read(folders.trust_root),
        sealer=Sealer(folders.trainer),
    )
    gate.announce()
    reader = LedgerReader(DirectoryStore(layout.store))
    wait(lambda: reader.refresh().runs.get(RUN_ID))
    training, found = Training(), []
    for multiple in MULTIPLES:
        training.advance(multiple * BASE_STEPS - training.step)
        landed = publish_checkpoint(layout, training, multiple)
        key = wait(lambda n=multiple: assessment_of(reader, f"x{n:03d}"))
        assess = wait(lambda k=key: partition_run(rest, "assess_checkpoint", k))
        wait(lambda a=assess: ended(rest, "assess_checkpoint", a["dag_run_id"]))
        register = newest_before(rest, assess["queued_at"])
        span = spans(rest, "assess_checkpoint", assess["dag_run_id"], register["queued_at"])
        span["seen"] = moment(register["queued_at"]) - landed
        found.append(span)
    return found


def publish_checkpoint(layout: Layout, training: Training, multiple: int) -> float:
    """A checkpoint as the toy trainer publishes it; when it landed."""
    folder = layout.checkpoints / RUN_ID / f"x{multiple:03d}"
    folder.mkdir(parents=True)
    training.model.save(folder / "weights.npz")
    declared = Declared(
        run_id=RUN_ID,
        checkpoint_id=folder.name,
        parent=None,
        step=training.step,
        training_flop=training.flop,
        algorithmic_efficiency=1.0,
        created_at=datetime.now(UTC),
    )
    publish(folder, declared, ["weights.npz"], variants={"final": "weights.npz"})
    return time.time()


def assessment_of(reader: LedgerReader, checkpoint: str) -> str | None:
    """The assessment of a checkpoint, once its occasion is in the ledger."""
    state = reader.refresh()
    for key in state.assessments:
        if state.checkpoint_of(key)[1].manifest.checkpoint_id == checkpoint:
            return key
    return None


def spans(rest: AirflowRest, dag_id: str, run_id: str, begun: str) -> Span:
    """Seconds of each stage: from the end of the stage before to its own end."""
    tasks = [one for one in rest.task_instances(dag_id, run_id) if one["end_date"]]
    ends = {stage: max((moment(one["end_date"]) for one in tasks if one["task_id"] == stage),
                       default=0.0) for stage in STAGES[1:]}  # fmt: skip
    first = min(moment(one["start_date"]) for one in tasks if one["task_id"] == "plan")
    found, before = {"register": first - moment(begun)}, first
    for stage in STAGES[1:]:
        found[stage] = ends[stage] - before
        before = ends[stage]
    found["total"] = before - moment(begun) - found["evaluate"]
    return found


def partition_run(rest: AirflowRest, dag_id: str, key: str) -> Any:
    """The run of a partition key."""
    return next((one for one in rest.dag_runs(dag_id) if one.get("partition_key") == key), None)


def newest_before(rest: AirflowRest, when: str) -> Any:
    """The run of register_checkpoint that raised the occasion."""
    runs = [one for one in rest.dag_runs("register_checkpoint") if one["queued_at"] < when]
    return max(runs, key=lambda one: one["queued_at"])


def ended(rest: AirflowRest, dag_id: str, run_id: str) -> Any:
    """The run, once it has ended well."""
    run = rest.dag_run(dag_id, run_id)
    if run["state"] == "failed":
        raise RuntimeError(f"{dag_id} {run_id} failed; look at its log")
    return run if run["state"] == "success" else None


def wait(look: Callable[[], Any], seconds: float = 180.0) -> Any:
    """What is looked for, once it is there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"not there after {seconds:g} s")


def moment(text: str) -> float:
    """Seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def validation_alone() -> float:
    """Seconds of one Great Expectations validation of an assessment, its import not counted."""
    from benchmarks.validation import CHECKPOINT, MADE, NOW, run_of
    from include.adapters.result_frame import Context, table_of_samples
    from include.adapters.validation import Validator
    from include.rsp.evaluation_plan import planned
    from include.rsp.results import Sample

    suite = read_suite((SUITES / "toylab-1.0.yaml").read_bytes(), where="suite")
    samples = [Sample(sample_id=f"p{n}", epoch=1, score=0.0, error=None) for n in range(200)]
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        validator = Validator()
        for one in planned(suite, ["final"]):
            evaluation = suite.evaluation(one.evaluation)
            run = run_of(evaluation)
            validator.validate(
                evaluation,
                one,
                table=table_of_samples(run, samples, model=one.model or ""),
                context=Context(run=run, checkpoint=CHECKPOINT, checkpoint_at=MADE, at=NOW),
            )
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def render(real: list[Span], empty: list[Span], validation: float) -> str:
    """The table, in Markdown; medians."""

    def middle(spans: list[Span], name: str) -> float:
        return statistics.median(one[name] for one in spans)

    rows = [
        f"Medians of {len(real)} assessments and {len(empty)} empty runs, SQLite and "
        f"LocalExecutor, 2 cores, {datetime.now(UTC):%Y-%m-%d}. Evaluations run, but their stage "
        "is not in the totals.",
        "",
        "| stage | Redline, s | empty DAG, s |",
        "|---|---|---|",
        f"| checkpoint lands → register_checkpoint queued | {middle(real, 'seen'):.2f} | - |",
    ]
    for stage in STAGES:
        name = {"register": "register, raise, wake (2 hops)", "evaluate": "evaluate (2 hops)"}
        note = " (not counted)" if stage == "evaluate" else ""
        rows.append(
            f"| {name.get(stage, stage)}{note} | {middle(real, stage):.2f} | "
            f"{middle(empty, stage):.2f} |"
        )
    total, base = middle(real, "total"), middle(empty, "total")
    rows += [
        f"| **queued → verdict, without evaluate** | **{total:.2f}** | **{base:.2f}** |",
        f"| one Great Expectations validation alone | {validation:.2f} | |",
        "",
        f"{len(STAGES) + 2} task hops to the verdict, register_checkpoint's two included. "
        f"Overhead: ({total:.2f} - {validation:.2f}) / {base:.2f} = "
        f"{(total - validation) / base:.2f}x the empty DAG (limit: 1.5x).",
    ]
    return "\n".join(rows)


def write(table: str) -> None:
    """Put the table between its marks in the README."""
    path = ROOT / "README.md"
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert end, f"README.md lacks {BEGIN} or {END}"
    path.write_text(f"{head}{begin}\n{table}\n{end}{tail}")


if __name__ == "__main__":
    raise SystemExit(main())
