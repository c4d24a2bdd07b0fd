"""Policies and suites as YAML files (`include/policies`, `include/suites`) and as stored bytes."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from include.rsp.canonical import Document
from include.rsp.errors import InvalidDocument
from include.rsp.policy import Policy
from include.rsp.suite import Suite

INCLUDE = Path(__file__).resolve().parents[1]
POLICIES = INCLUDE / "policies"
SUITES = INCLUDE / "suites"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Model = TypeVar("_Model", bound=BaseModel)


def read_policy(content: bytes, *, where: str) -> Policy:
    """The policy in these bytes.

    Raises:
        InvalidDocument: not YAML, or not a policy; names every field that is wrong.
    """
    policy: Policy = _read(Policy, content, where)
    return policy


def read_suite(content: bytes, *, where: str) -> Suite:
    """The suite in these bytes; raises like `read_policy`."""
    suite: Suite = _read(Suite, content, where)
    return suite


def named_file(folder: Path, name: str) -> Path:
    """The YAML file called `name` (with or without version) in a folder of policies or suites.

    Raises:
        InvalidDocument: none or several match; the message lists what there is.
    """
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    matches = [stem for stem in known if stem == name or stem.rsplit("-", 1)[0] == name]
    if len(matches) != 1:
        raise InvalidDocument(
            f"No single file for {name!r} in {folder.name}/ (got {matches or 'none'}, expected one "
            f"of {known}). Name it with its version."
        )
    return folder / f"{matches[0]}.yaml"


@functools.lru_cache(maxsize=64)
def _read(model: type[_Model], content: bytes, where: str) -> _Model:
    try:
        plain = yaml.load(content, Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidDocument(f"{where} is not YAML: {error}") from error
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        raise InvalidDocument(
            f"{where} is not a {model.__name__.lower()}: {explain(error)}"
        ) from error


def explain(error: ValidationError) -> str:
    """One line per wrong field: where, what was expected, what stood there."""
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"]) or "(whole document)"
        got = repr(item.get("input"))
        lines.append(f"{place}: {item['msg']} (got {got if len(got) < 80 else got[:77] + '...'})")
    return "; ".join(lines)


def schema_of(model: type[Document]) -> dict[str, object]:
    """The JSON Schema that editors use to complete and check the YAML."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema()
