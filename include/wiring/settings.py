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
    notary_seconds: float

    @classmethod
    def from_environment(cls) -> Settings:
        """Read REDLINE_STORE, REDLINE_CHECKPOINTS, REDLINE_JOBS and REDLINE_NOTARY_SECONDS.

        Raises:
            InvalidDocument: one that has no default is not set.
        """
        return cls(
            store=_required("REDLINE_STORE"),
            checkpoints=Path(_required("REDLINE_CHECKPOINTS")),
            jobs=Path(_required("REDLINE_JOBS")),
            notary_seconds=float(os.environ.get("REDLINE_NOTARY_SECONDS", "30")),
        )


def _required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise InvalidDocument(
            f"The environment variable {name} is not set for this Airflow process. `rsp up` sets "
            "it; elsewhere set it beside AIRFLOW_HOME."
        )
    return value
