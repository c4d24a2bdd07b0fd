"""Stored packets (tests/packets): inputs, and the bytes that they gave when they were stored.

A packet is one JSON file that needs no other: policy and suite as text, evidence, the time, and
what was decided and forecast. Run as a module it replays them all and prints what differs, so that
a test can start it under other settings of the processor.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from include.adapters.evidence_files import EvidenceFile
from include.adapters.policy_files import read_policy, read_suite
from include.rsp.canonical import (
    Digest,
    Document,
    Identifier,
    Moment,
    canonical_bytes,
    digest_bytes,
)
from include.rsp.decision import Decision, decide
from include.rsp.forecast import (
    Forecast,
    ForecastPoint,
    Where,
    forecast,
    nothing_to_forecast_from,
)

PACKETS = Path(__file__).resolve().parents[1] / "packets"


class Expected(Document):
    """A result as JSON, and the digest of its canonical bytes."""

    result: dict[str, Any]
    sha256: Digest

    @classmethod
    def of(cls, result: Document) -> Expected:
        """What a result looks like when it is stored."""
        content = canonical_bytes(result)
        return cls(result=json.loads(content, parse_int=float), sha256=digest_bytes(content))


class ForecastInput(Document):
    """What one forecast was made from; without an evaluation there was nothing to make it from."""

    red_line: Identifier
    evaluation: Identifier | None
    where: Where
    at_compute: float
    points: list[ForecastPoint]


class StoredForecast(Document):
    """One forecast with its input."""

    of: ForecastInput
    expected: Expected


class StoredPacket(Document):
    """One packet."""

    format: Literal["redline/stored-packet@1"]
    about: str
    policy: str
    suite: str
    at: Moment
    evidence: EvidenceFile
    decision: Expected
    forecasts: list[StoredForecast]


def read_packet(path: Path) -> StoredPacket:
    """The packet in a file; numbers are floats, because canonical JSON writes 1e20 in digits."""
    return StoredPacket.model_validate(json.loads(path.read_text(), parse_int=float))


def stored() -> dict[str, StoredPacket]:
    """Every stored packet by the stem of its file."""
    found = {path.stem: read_packet(path) for path in sorted(PACKETS.glob("*.json"))}
    if not found:
        raise FileNotFoundError(f"no packets in {PACKETS}: replaying none shows nothing")
    return found


def decided(packet: StoredPacket) -> Decision:
    """The decision that its inputs give now."""
    return decide(
        read_policy(packet.policy.encode(), where="stored policy"),
        read_suite(packet.suite.encode(), where="stored suite"),
        packet.evidence.by_evaluation(),
        checkpoint=packet.evidence.checkpoint,
        checkpoint_at=packet.evidence.checkpoint_at,
        at=packet.at,
    )


def forecast_from(packet: StoredPacket, given: ForecastInput) -> Forecast:
    """The forecast that its input gives now."""
    if given.evaluation is None:
        return nothing_to_forecast_from(given.red_line)
    suite = read_suite(packet.suite.encode(), where="stored suite")
    evaluation = suite.evaluation(given.evaluation)
    return forecast(evaluation, given.points, where=given.where, at_compute=given.at_compute)


def differences(packet: StoredPacket) -> list[str]:
    """What does not give the stored bytes any more; empty when everything does."""
    found = list(_differences("decision", packet.decision, decided(packet)))
    for one in packet.forecasts:
        what = f"forecast of {one.of.evaluation or one.of.red_line} at {one.of.where}"
        found += _differences(what, one.expected, forecast_from(packet, one.of))
    return found


def _differences(what: str, expected: Expected, got: Document) -> Iterator[str]:
    content = canonical_bytes(got)
    if digest_bytes(canonical_bytes(expected.result)) != expected.sha256:
        yield f"{what}: the stored result is not what its digest was made of"
    if digest_bytes(content) != expected.sha256 or content != canonical_bytes(expected.result):
        now = json.loads(content, parse_int=float)
        yield f"{what}: {'; '.join(_places('', expected.result, now)) or 'other bytes'}"


def _places(place: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            yield from _places(f"{place}.{key}", before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from _places(f"{place}.{index}", one, other)
    elif before != now:
        yield f"{place.lstrip('.')} is {now!r} (stored {before!r})"


def fingerprint() -> str:
    """Digest of what the C library makes of many numbers; it tells its code paths apart."""
    values = [index / 317 for index in range(1, 5000)]
    made = [f(one).hex() for one in values for f in (math.exp, math.log2, math.log)]
    return digest_bytes("".join(made).encode())


def report() -> dict[str, Any]:
    """What differs in this process, and with which processor features it ran."""
    from numpy._core import _multiarray_umath as umath

    return {
        "differing": {name: found for name, one in stored().items() if (found := differences(one))},
        "replayed": len(stored()),
        "features": sorted(name for name, on in umath.__cpu_features__.items() if on),
        "libm": fingerprint(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report()))
