"""Planned probes as tests need them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from include.rsp.safeguard_plan import PlannedProbe

ODD = [sys.executable, "-S", "-E", str(Path(__file__).with_name("odd_probes.py"))]
"""The process of a probe that misbehaves as its setting `way` says."""


def planned(kind: str = "test.odd", *, seconds: float = 30.0, **settings: Any) -> PlannedProbe:
    """A probe of the suite."""
    return PlannedProbe(
        id=f"probe-{settings.get('way', kind)}".replace("_", "-"),
        probe=kind,
        standard="asl-3-deployment",
        requirement="rapid-remediation",
        type="probe",
        surfaces=["api"],
        timeout_seconds=seconds,
        settings=settings,
    )
