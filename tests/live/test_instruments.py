"""The pre-flight's own tools with Inspect for real: they can tell, and they have been seen to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample

from include.adapters.egress import probe
from include.adapters.inspect_preflight import dataset_digest, find_leaks, sandboxes_of

pytestmark = pytest.mark.live
NOBODY = "127.0.0.1:9"


@pytest.fixture
def listener() -> Iterator[str]:
    """Something outside of the sandbox that answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def task(*sandboxes: str | None) -> Task:
    samples = [Sample(id=number, input="q", target="a", sandbox=one)
               for number, one in enumerate(sandboxes)]  # fmt: skip
    return Task(dataset=MemoryDataset(samples))


def test_a_sandbox_that_can_reach_out_is_seen_to(listener: str, tmp_path: Path) -> None:
    found = probe(task(None), sandbox="local", targets=[NOBODY, listener], log_dir=tmp_path)
    assert (found.reached, found.probe_works) == ([listener], True)


def test_one_that_reaches_nothing_is_believed_only_because_the_probe_works(tmp_path: Path) -> None:
    found = probe(task(None, "local"), sandbox="local", targets=[NOBODY], log_dir=tmp_path)
    assert (found.tried, found.reached, found.probe_works) == ([NOBODY], [], True)


def test_where_no_sandbox_starts_there_is_no_answer_and_the_process_ends(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no-such-sandbox"):
        probe(task(None), sandbox="no-such-sandbox", targets=[NOBODY], log_dir=tmp_path)


def test_the_sandboxes_of_task_and_samples_are_told() -> None:
    assert sandboxes_of(task(None)) == []
    assert sandboxes_of(task(None, "local", "docker")) == ["docker", "unsafe_local"]


def test_an_answer_in_question_file_or_setup_is_a_leak() -> None:
    long = "the answer is 4711"
    samples = [
        Sample(id="clean", input="q", target=long),
        Sample(id="short", input="4", target="4"),
        Sample(id="asked", input=f"is it so that {long}?", target=long),
        Sample(id="file", input="q", target=[long], files={"a.txt": f"{long}!"}),
        Sample(id="setup", input="q", target=long, setup=f"echo {long}"),
    ]
    found = find_leaks(samples)
    assert (found.checked, found.leaked) == (4, ["asked", "file", "setup"])


def test_another_order_or_target_is_another_dataset() -> None:
    one, other = Sample(id=1, input="q", target="a"), Sample(id=2, input="q", target="b")
    changed = Sample(id=1, input="q", target="c")
    digests = [dataset_digest(each) for each in ([one, other], [other, one], [changed, other])]
    assert len(set(digests)) == 3
