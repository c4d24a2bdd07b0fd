"""docs/probes.md: its example works, and every setting of every generic kind stands there."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from include.adapters.probe_runner import run_probes
from include.adapters.probes import http_caller
from include.adapters.probing import kinds
from include.rsp.safeguard_plan import PlannedProbe
from tests.support.loopback_http import Asked, answered, serving
from tests.support.probing import planned

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "probes.md").read_text()
GENERIC = sorted(one for one in kinds() if not one.startswith("aws."))


def blocks(kind: str) -> Iterator[str]:
    yield from re.findall(rf"```{kind}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the docs as it is once it is installed."""
    (code,) = blocks("python")
    (project,) = (tomllib.loads(one)["project"] for one in blocks("toml"))
    (tmp_path / code.splitlines()[0].removeprefix("# ")).write_text(code)
    meta = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (meta / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")


@pytest.mark.usefixtures("acme")
def test_the_example_runs_and_shows_only_what_it_should(unused_tcp_port: int) -> None:
    def service(asked: Asked) -> object:
        return answered(*{"/two": (200, {"approvals": 2}), "/one": (200, {"approvals": 1}),
                          "/yes": (200, {"approvals": True}), "/odd": (200, []),
                          "/down": (503, {})}[asked.path])  # fmt: skip

    paths = ("two", "one", "yes", "odd", "down")
    with serving(service) as url:  # type: ignore[arg-type]
        urls = [f"{url}/{one}" for one in paths] + [f"http://127.0.0.1:{unused_tcp_port}"]
        ran = run_probes([planned("acme.approvals", url=one, at_least=2.0) for one in urls])
    assert [one.seen.shows for one in ran] == [True, False, False, False, False, False]
    assert ran[0].seen.statement == (
        "A read of the weights takes 2 approvals (expected 2 or more)."
    )
    assert ran[0].seen.raw == {"answer": {"approvals": 2}}
    assert "takes 1 approvals" in ran[1].seen.statement
    assert "did not say: HTTPStatusError" in ran[4].seen.statement
    assert "did not say: ConnectError" in ran[5].seen.statement


def test_the_example_of_a_suite_is_a_planned_probe_with_settings_that_read() -> None:
    (text,) = blocks("yaml")
    (one,) = yaml.safe_load(text)["safeguards"]["probes"]
    probe = PlannedProbe.model_validate(one)
    assert set(probe.settings) <= settings_of(probe.probe)


def settings_of(kind: str) -> frozenset[str]:
    found: frozenset[str] = importlib.import_module(kinds()[kind].partition(":")[0]).SETTINGS
    return found


@pytest.mark.parametrize("kind", GENERIC)
def test_every_setting_of_a_kind_stands_in_its_section(kind: str) -> None:
    section = TEXT.split(f"### `{kind}`\n")[1].split("\n## ")[0].split("\n### ")[0]
    table = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    own = settings_of(kind) - http_caller.SETTINGS
    assert set(re.findall(r"`([a-z_]+)`", table)) == own


def test_the_settings_of_all_that_ask_over_http_stand_in_front() -> None:
    before = TEXT.split("## The generic kinds")[1].split("\n### ")[0]
    assert {f"| `{one}` |" for one in http_caller.SETTINGS} <= set(
        re.findall(r"\| `\w+` \|", before)
    )


def test_no_generic_kind_was_missed() -> None:
    assert len(GENERIC) == len(re.findall(r"^### `", TEXT, flags=re.MULTILINE)) == 6
