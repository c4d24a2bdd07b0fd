"""Stores the packets of tests/packets that are not there yet: `python -m tools.make_packets`.

A packet that is there is never overwritten. One that would come out differently today is named, and
the exit code is 1: a changed method is a new version beside the old one, with a packet of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from include.adapters.policy_files import read_policy, read_suite
from include.rsp.canonical import canonical_bytes
from include.rsp.suite_fit import problems_between
from tests.support.stored_packets import (
    PACKETS,
    Expected,
    StoredForecast,
    StoredPacket,
    decided,
    forecast_from,
)
from tools import packet_methods
from tools.packet_scenarios import Scenario, outcomes

PENDING = Expected(result={}, sha256="sha256:" + "0" * 64)


def main(folder: Path = PACKETS) -> int:
    """Write what is missing, refuse what has changed."""
    folder.mkdir(exist_ok=True)
    refused = 0
    for name, scenario in scenarios().items():
        path, text = folder / f"{name}.json", text_of(packet_of(scenario))
        if not path.exists():
            path.write_text(text)
            sys.stderr.write(f"stored {path.name} ({len(text)} bytes)\n")
        elif path.read_text() != text:
            refused += 1
            sys.stderr.write(
                f"{path.name} would come out differently today and was not overwritten. If a "
                "method changed, give it a new version, and that one a scenario in tools/.\n"
            )
    return 1 if refused else 0


def scenarios() -> dict[str, Scenario]:
    """Every packet by name."""
    methods = (packet_methods.inconclusive(), packet_methods.methods(), packet_methods.rsp())
    return dict([*outcomes(), *(pair for named in methods for pair in named)])


def packet_of(scenario: Scenario) -> StoredPacket:
    """The packet of a scenario, with what it gives now as what is expected."""
    problems = problems_between(
        read_policy(scenario.policy.encode(), where="policy"),
        read_suite(scenario.suite.encode(), where="suite"),
    )
    if problems:
        raise ValueError(f"{scenario.about}: {'; '.join(problems)}")
    packet = StoredPacket(
        format="redline/stored-packet@1", about=scenario.about, policy=scenario.policy,
        suite=scenario.suite, at=scenario.at, evidence=scenario.evidence, decision=PENDING,
        forecasts=[],
    )  # fmt: skip
    made = [
        StoredForecast(of=one, expected=Expected.of(forecast_from(packet, one)))
        for one in scenario.forecasts
    ]
    return packet.model_copy(update={"decision": Expected.of(decided(packet)), "forecasts": made})


def text_of(packet: StoredPacket) -> str:
    """One line for each part; what a sample does not have is left out."""
    plain = packet.model_dump(mode="json")
    for evaluation in plain["evidence"]["evaluations"]:
        evaluation["samples"] = [_short(one) for one in evaluation["samples"] or []] or None
    parts = [f"{json.dumps(key)}:{_compact(value)}" for key, value in plain.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _short(sample: dict[str, Any]) -> dict[str, Any]:
    kept = {"sample_id", "epoch", "score", "error"}
    return {key: value for key, value in sample.items() if key in kept or value is not None}


def _compact(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return canonical_bytes(value).decode()


if __name__ == "__main__":
    raise SystemExit(main())
