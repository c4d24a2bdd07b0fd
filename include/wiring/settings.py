"""The settings of this machine: where things are. What decides is in policies and suites."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from include.rsp.errors import InvalidDocument


@dataclass(frozen=True, slots=True)
class Settings:
    """Places that differ from one deployment to another."""

    store: str
    checkpoints: Path
    jobs: Path
    proposals: Path
    public: Path
    inbox: Path
    evaluations: str
    drill_keys: Path
    notary_seconds: float

    @classmethod
    def from_environment(cls) -> Settings:
        """Read REDLINE_STORE, REDLINE_CHECKPOINTS, REDLINE_JOBS and REDLINE_NOTARY_SECONDS.

        REDLINE_PROPOSALS (where proposed policies land), REDLINE_PUBLIC (where adopted ones are
        published) and REDLINE_INBOX (where results are delivered) are folders beside the
        checkpoints unless they are set.

        REDLINE_EVALUATIONS names the Airflow connection of the service on which evaluations run
        (docs/evaluators-remote.md); not set: they are processes of this machine.

        REDLINE_DRILL_KEYS is a folder of keys that readiness drills may use, SIMULATED ones
        (docs/drills.md); not set: a drill that needs keys finds none, which its record says.

        Raises:
            InvalidDocument: one that has no default is not set.
        """
        store = _required("REDLINE_STORE")
        checkpoints = Path(_required("REDLINE_CHECKPOINTS"))
        return cls(
            store=store,
            checkpoints=checkpoints,
            jobs=Path(_required("REDLINE_JOBS")),
            proposals=_beside(checkpoints, "REDLINE_PROPOSALS", "proposals"),
            public=_beside(checkpoints, "REDLINE_PUBLIC", "public"),
            inbox=_beside(checkpoints, "REDLINE_INBOX", "inbox"),
            evaluations=os.environ.get("REDLINE_EVALUATIONS", "").strip(),
            drill_keys=Path(os.environ.get("REDLINE_DRILL_KEYS", "").strip() or os.devnull),
            notary_seconds=float(os.environ.get("REDLINE_NOTARY_SECONDS", "30")),
        )


def _beside(folder: Path, name: str, default: str) -> Path:
    return Path(os.environ.get(name, "").strip() or folder.parent / default)


def _required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise InvalidDocument(
            f"The environment variable {name} is not set for this Airflow process. `rsp up` sets "
            "it; elsewhere set it beside AIRFLOW_HOME."
        )
    return value
