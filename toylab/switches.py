"""The switches of the toy laboratory's service: one settings file, read again for every request.

Each of them is something that went wrong in a real laboratory: a classifier that is off on one
surface only, logging that goes with it, a monitor that is dead or blind and says nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, field_validator, model_validator

from include.rsp.canonical import Document

SURFACES = ("app", "api")
NAME = "settings.json"


class MonitorState(StrEnum):
    """`dead` takes no pass; `blind` passes and sees nothing. Neither says so."""

    ON = "on"
    DEAD = "dead"
    BLIND = "blind"


class Switches(Document):
    """What is on; by surface where it differs."""

    classifier: dict[str, bool] = Field(default_factory=lambda: dict.fromkeys(SURFACES, True))
    logging: dict[str, bool] = Field(default_factory=lambda: dict.fromkeys(SURFACES, True))
    monitor: MonitorState = MonitorState.ON
    patches: list[str] = Field(
        default_factory=list, description="regular expressions that the classifier stops as well"
    )

    @field_validator("patches")
    @classmethod
    def _compile(cls, patches: list[str]) -> list[str]:
        for patch in patches:
            try:
                re.compile(patch)
            except re.error as error:
                raise ValueError(f"patch {patch!r} is no regular expression: {error}") from error
        return patches

    @model_validator(mode="after")
    def _every_surface(self) -> Self:
        for name, by_surface in (("classifier", self.classifier), ("logging", self.logging)):
            if set(by_surface) != set(SURFACES):
                raise ValueError(f"{name} names {sorted(by_surface)} (expected {SURFACES})")
        return self


class Unsettled(Exception):  # noqa: N818 - what is wrong
    """The settings do not read, so nothing is answered."""


def read_switches(home: Path) -> Switches:
    """The switches as they are now.

    Raises:
        Unsettled: there are none, or they do not read: nobody knows what is on.
    """
    path = home / NAME
    try:
        return Switches.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise Unsettled(f"{path} does not read: {str(error)[:300]}") from error


def write_switches(home: Path, switches: Switches) -> None:
    """Set them; they count for the next request."""
    write_json(home / NAME, switches.model_dump(mode="json"))


def add_patch(home: Path, patch: str) -> Switches:
    """One more pattern for the classifier; returns what is set then."""
    now = read_switches(home)
    new = Switches.model_validate({**now.model_dump(), "patches": [*now.patches, patch]})
    write_switches(home, new)
    return new


def write_json(path: Path, plain: object) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_text(json.dumps(plain, indent=1))
        os.replace(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
