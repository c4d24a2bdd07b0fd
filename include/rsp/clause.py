"""What every rule of a policy has, the clause that it encodes, and checks that all share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from include.rsp.canonical import Document, Identifier

Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z]([0-9A-Za-z.+-]{0,48}[0-9A-Za-z])?$")]
"""What tells two versions apart for people: plain letters and digits, nothing hidden."""
CENTURY_DAYS = 36_525
"""No length of time is longer: the end of it has to be a date."""
CENTURY_SECONDS = CENTURY_DAYS * 86_400


class Clause(Document):
    """Where the publisher says it."""

    clause: str = Field(min_length=1, description="section of the published text")


class NamedClause(Clause):
    """A rule with an id of its own, so that two versions of it can be compared."""

    id: Identifier


def refuse_doubles(where: str, ids: list[str]) -> None:
    """Raise ValueError when an id stands there more than once."""
    doubles = sorted(one for one, times in Counter(ids).items() if times > 1)
    if doubles:
        raise ValueError(f"{where}: {doubles} stand there more than once (expected distinct)")


def refuse_unknown(where: str, named: list[str], known: set[str]) -> None:
    """Raise ValueError when a name is not among the known ones."""
    unknown = sorted(set(named) - known)
    if unknown:
        raise ValueError(f"{where} names {unknown} (expected some of {sorted(known)})")


def refuse_cycles(where: str, follows: Mapping[str, str | None]) -> None:
    """Raise ValueError when following the names leads back to where one was."""
    for start in follows:
        seen, here = [start], follows.get(start)
        while here is not None:
            if here in seen:
                raise ValueError(f"{where}: {' -> '.join([*seen, here])} is a circle")
            seen.append(here)
            here = follows.get(here)
