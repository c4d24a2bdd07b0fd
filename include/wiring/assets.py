"""All assets in one place. They wake; they carry no truth."""

from __future__ import annotations

from airflow.sdk import Asset, AssetWatcher

from include.wiring.triggers import CheckpointFolderTrigger, ProposalFolderTrigger

CHECKPOINT_FOLDER = Asset(
    name="checkpoint_folder",
    uri="redline://checkpoints/landed",
    watchers=[AssetWatcher(name="checkpoint_folder", trigger=CheckpointFolderTrigger())],
)
PROPOSAL_FOLDER = Asset(
    name="proposal_folder",
    uri="redline://proposals/landed",
    watchers=[AssetWatcher(name="proposal_folder", trigger=ProposalFolderTrigger())],
)
DUE_ASSESSMENTS = Asset(name="due_assessments", uri="redline://assessments/due")
