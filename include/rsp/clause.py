"""What every rule of a policy has, the clause that it encodes, and checks that all share."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from include.rsp.canonical import Document, Identifier


class Clause(Document):
    """Where the publisher says it."""

    clause: str = Field(min_length=1, description="section of the published text")


class NamedClause(Clause):
    """A rule with an id of its own, so that two versions of it can be compared."""

    id: Identifier


def refuse_doubles(where: str, ids: list[str]) -> None:
    """Raise ValueError when an id stands there more than once."""
    doubles = sorted({one for one in ids if ids.count(one) > 1})
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
