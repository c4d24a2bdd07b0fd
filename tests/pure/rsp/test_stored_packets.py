"""Stored packets replay to the same bytes: on every commit and on every kind of processor (I6).

A packet that does not is no reason to store it anew: a changed method is a new version beside the
old one, and a new packet (`python -m tools.make_packets` adds what is missing).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from numpy._core import _multiarray_umath as umath

from include.rsp.statistics import METHODS
from include.rsp.suite import MethodName
from include.rsp.vocabulary import Finding, Outcome, RedLineStatus
from tests.support.stored_packets import (
    PACKETS,
    StoredPacket,
    differences,
    fingerprint,
    read_packet,
    stored,
)
from tools import make_packets

ROOT = Path(__file__).resolve().parents[3]
STORED = stored()
DISPATCHED = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__[name]]
"""What numpy chooses at run time on this machine, the newest last."""
PLAIN_LIBM = "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable"
LIBM_DISPATCHES = platform.libc_ver()[0] == "glibc" and bool(umath.__cpu_features__.get("FMA3"))
SETTINGS: dict[str, dict[str, str]] = {
    "openblas-haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "openblas-prescott": {"OPENBLAS_CORETYPE": "Prescott"},
    "hashes-and-place": {"PYTHONHASHSEED": "7", "TZ": "Pacific/Chatham", "LC_ALL": "C"},
}


def replayed(**settings: str) -> dict[str, Any]:
    """What a fresh process says under these settings."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.stored_packets"],
        cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["replayed"] == len(STORED)
    return found


@pytest.mark.parametrize("name", STORED)
def test_a_stored_packet_gives_the_same_bytes(name: str) -> None:
    assert differences(STORED[name]) == []


@pytest.mark.skipif(not DISPATCHED, reason="numpy chooses no processor feature on this machine")
@pytest.mark.parametrize("first", range(len(DISPATCHED)))
def test_and_so_it_does_without_the_newest_processor_features(first: int) -> None:
    off = DISPATCHED[first:]
    found = replayed(NPY_DISABLE_CPU_FEATURES=" ".join(off))
    assert set(off).isdisjoint(found["features"])
    assert set(DISPATCHED[:first]) <= set(found["features"])
    assert found["differing"] == {}


@pytest.mark.skipif(not LIBM_DISPATCHES, reason="this C library has one code path only")
def test_and_so_it_does_with_the_other_code_path_of_the_c_library() -> None:
    found = replayed(GLIBC_TUNABLES=PLAIN_LIBM)
    assert found["libm"] != fingerprint(), "the setting changed nothing: it shows nothing"
    assert found["differing"] == {}


@pytest.mark.parametrize("name", SETTINGS)
def test_and_so_it_does_under_other_settings(name: str) -> None:
    assert replayed(**SETTINGS[name])["differing"] == {}


def findings() -> list[dict[str, Any]]:
    return [one for packet in STORED.values() for one in packet.decision.result["findings"]]


def test_every_method_has_a_stored_result_and_every_stored_method_exists() -> None:
    given = {one["method"] for one in findings() if one["value"] is not None}
    refused = {one["method"] for one in findings() if one["value"] is None}
    assert given == set(METHODS) == set(get_args(MethodName))
    assert refused == set(METHODS)


def test_every_outcome_status_and_finding_is_stored() -> None:
    decisions = [packet.decision.result for packet in STORED.values()]
    lines = [line for one in decisions for line in one["red_lines"]]
    assert {one["recommendation"] for one in decisions} == set(Outcome)
    assert {line["status"] for line in lines} == set(RedLineStatus)
    assert {one["finding"] for one in findings()} == {*Finding, None}
    assert {one["early_warning"] for one in decisions} == {True, False}
    ahead = [one for packet in STORED.values() for one in packet.forecasts]
    assert {one.expected.result["headroom"] is None for one in ahead} == {True, False}


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("part", ["a number", "the digest", "the evidence"])
def test_an_altered_packet_is_found(name: str, part: str) -> None:
    plain = STORED[name].model_dump(mode="json")
    if part == "a number":
        plain["decision"]["result"]["due_ratio"] += 1e-6
    elif part == "the digest":
        plain["decision"]["sha256"] = "sha256:" + "0" * 64
    else:
        plain["evidence"]["evaluations"][0]["valid"] = False
    assert differences(StoredPacket.model_validate(plain)) != []


def test_an_altered_forecast_is_found() -> None:
    plain = STORED["toylab-continue"].model_dump(mode="json")
    plain["forecasts"][0]["of"]["points"][0]["value"] += 0.001
    (found,) = differences(StoredPacket.model_validate(plain))
    assert "headroom" in found
    plain["forecasts"][0]["expected"]["result"]["headroom_lower"] += 1e-6
    assert any("its digest" in one for one in differences(StoredPacket.model_validate(plain)))


def test_a_stored_packet_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_packets.main(tmp_path) == 0
    assert {path.stem for path in tmp_path.glob("*.json")} <= STORED.keys()
    kept = tmp_path / "toylab-near.json"
    altered = kept.read_text().replace('"valid":true', '"valid":false')
    kept.write_text(altered)
    (tmp_path / "toylab-crossed.json").unlink()
    assert make_packets.main(tmp_path) == 1
    assert kept.read_text() == altered
    assert "toylab-near.json" in capsys.readouterr().err
    assert differences(read_packet(tmp_path / "toylab-crossed.json")) == []


def test_the_packets_stay_small() -> None:
    assert sum(path.stat().st_size for path in PACKETS.iterdir()) < 600_000
