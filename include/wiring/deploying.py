"""Deployment: which verdict a checkpoint's deployment can rest on (lifecycle step 28)."""

from __future__ import annotations

from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.wiring.desk import Desk


def verdict_on(desk: Desk, run_id: str, checkpoint_id: str) -> Digest:
    """The newest verdict on a checkpoint.

    Raises:
        Refused: the checkpoint is not registered, or nobody has assessed it.
    """
    run = desk.state.runs.get(run_id)
    known = {one.manifest.checkpoint_id: key for key, one in run.checkpoints.items()} if run else {}
    if run is None or checkpoint_id not in known:
        raise Refused(
            "unknown_checkpoint",
            f"No checkpoint {checkpoint_id!r} of the run {run_id!r} is registered (known: "
            f"{sorted(known) or sorted(desk.state.runs)}).",
        )
    verdict = run.newest_verdict_on(known[checkpoint_id])
    if verdict is None:
        raise Refused(
            "no_verdict",
            f"{run_id}/{checkpoint_id} was never assessed. Trigger assess_checkpoint for it first.",
        )
    return verdict
