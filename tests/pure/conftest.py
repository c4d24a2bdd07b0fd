"""Which of the pure tests `make quick` leaves out, and why; `make test` runs them all."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROCESSES = "starts processes or servers, or waits for real time limits"
ASKED = "asks Great Expectations, or a stand-in of AWS, hundreds of times"
SWEEPS = "tries one change after the other of a whole store, or every shape of a log"
WHOLE = "takes a whole Redline through many assessments: five seconds and more"
SLOW = {
    "adapters/test_aws_probes.py": ASKED,
    "adapters/test_aws_probes_policies.py": ASKED,
    "adapters/test_aws_probes_refusals.py": ASKED,
    "adapters/test_job_entry.py": PROCESSES,
    "adapters/test_log_parity.py": SWEEPS,
    "adapters/test_probe_runner.py": PROCESSES,
    "adapters/test_probes_docs.py": PROCESSES,
    "adapters/test_validation.py": ASKED,
    "adapters/test_verification.py": SWEEPS,
    "cli/test_bad_input.py": PROCESSES,
    "cli/test_decide.py": PROCESSES,
    "cli/test_people.py": WHOLE,
    "cli/test_policy.py": WHOLE,
    "client/test_examples.py": PROCESSES,
    "rsp/test_capability_report.py": WHOLE,
    "rsp/test_stored_packets.py": PROCESSES,
    "toylab/test_drills.py": PROCESSES,
    "toylab/test_surfaces.py": PROCESSES,
    "wiring/test_adoption.py": WHOLE,
    "wiring/test_attacks_preliminary.py": WHOLE,
    "wiring/test_attested_again.py": WHOLE,
    "wiring/test_canaries.py": WHOLE,
    "wiring/test_deployment.py": WHOLE,
    "wiring/test_determined.py": WHOLE,
    "wiring/test_responses.py": WHOLE,
    "wiring/test_reviewing.py": WHOLE,
    "wiring/test_safeguards.py": WHOLE,
    "wiring/test_sign_off.py": WHOLE,
}
"""Two thirds of the time of all pure tests."""
GONE = [one for one in SLOW if not (HERE / one).is_file()]
assert not GONE, f"tests/pure/conftest.py calls slow what is not there: {GONE}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and str(item.path.relative_to(HERE)) in SLOW:
            item.add_marker(pytest.mark.slow)
