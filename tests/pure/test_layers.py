"""The layers of docs/architecture.md, held by walking every import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"pandas", "scipy", "great_expectations", "boto3", "inspect_ai", "numpy", "matplotlib"}

ALLOWED: dict[str, set[str]] = {
    "include/rsp": {"include.rsp", "pydantic", "numpy", "scipy", "rfc8785"},
    "client": {"client", "cryptography", "securesystemslib"},
}
NEVER: dict[str, set[str]] = {
    "include/adapters": {"airflow", "include.wiring", "include.notary", "include.cli", "dags",
                         "plugins", "toylab", "client"},
    "include/notary": {"airflow", "include.wiring", "include.cli", "dags", "plugins", "toylab",
                       "client", "great_expectations", "pandas", "inspect_ai"},
    "include/cli": {"airflow", "include.wiring", "dags", "plugins", "toylab", "client"},
    "include/local_stack": {"airflow", "include.wiring", "include.adapters", "include.notary",
                            "include.cli", "dags", "plugins", "toylab", "client"},
    "include/wiring": {"dags", "plugins", "toylab", "client", "include.notary", "include.cli"},
    "dags": HEAVY | {"os", "dags", "plugins", "toylab", "client", "include.adapters"},
    "plugins": {"dags", "toylab"},
    "toylab": {"dags", "plugins", "include.wiring", "include.notary"},
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "open", "print", "getenv"}
IMPURE_MODULES = {"os", "time", "random", "socket", "subprocess", "pathlib", "requests", "io"}
STDLIB = __import__("sys").stdlib_module_names


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has no files; the test would prove nothing"
    return found


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.lineno, f"{node.module}"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def is_of(name: str, packages: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in packages)


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_a_closed_layer_imports_only_what_it_may(folder: str) -> None:
    breaches = [
        f"{path}:{line} {name}"
        for path in sources(folder)
        for line, name in imports(path)
        if name.split(".")[0] not in STDLIB and not is_of(name, ALLOWED[folder])
    ]
    assert breaches == []


@pytest.mark.parametrize("folder", sorted(NEVER))
def test_a_layer_never_imports_what_is_above_it(folder: str) -> None:
    breaches = [
        f"{path}:{line} {name}"
        for path in sources(folder)
        for line, name in imports(path)
        if is_of(name, NEVER[folder])
    ]
    assert breaches == []


def test_the_domain_has_no_clock_no_disk_and_no_environment() -> None:
    breaches = []
    for path in sources("include/rsp"):
        breaches += [
            f"{path}:{line} {name}"
            for line, name in imports(path)
            if name.split(".")[0] in IMPURE_MODULES
        ]
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in IMPURE_CALLS:
                breaches.append(f"{path}:{node.lineno} {name}()")
    assert breaches == []


def test_scipy_in_the_domain_is_statistics_only() -> None:
    used = {
        name
        for path in sources("include/rsp")
        for _, name in imports(path)
        if name.startswith("scipy")
    }
    assert used
    assert all(name.startswith(("scipy.special", "scipy.stats")) for name in used)


def test_the_vocabulary_is_a_leaf() -> None:
    found = {name for _, name in imports(ROOT / "include/rsp/vocabulary.py")}
    assert all(name.split(".")[0] in {"__future__", "enum"} for name in found)


def test_the_walk_would_see_a_breach(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def f():\n    from airflow import models\n")
    assert ("airflow.models" in {name for _, name in imports(tmp_path / "bad.py")}) is True


@pytest.mark.parametrize(
    ("folder", "limit"),
    [("include", 300), ("plugins", 300), ("client", 300), ("toylab", 300), ("dags", 150)],
)
def test_no_module_grows_into_a_monster(folder: str, limit: int) -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in sources(folder)}
    assert {str(path): size for path, size in sizes.items() if size > limit} == {}


def test_no_threshold_is_written_in_python() -> None:
    """Limits of the policies and suites appear in no module (a grep, as a reviewer would do it)."""
    import yaml

    suite = yaml.safe_load((ROOT / "include/suites/toylab-1.0.yaml").read_text())
    names = {"rule_out", "rule_in", "buffer", "due_ratio", "ceiling_ratio", "minimum_samples"}
    assert suite["evaluations"]
    breaches = []
    for folder in ("include", "dags", "plugins", "client"):
        for path in sources(folder):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg in names:
                    value = node.value
                    if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                        breaches.append(f"{path}:{value.lineno} {node.arg}")
    assert breaches == []
