"""The level that a published standard requires, read from its words."""

from __future__ import annotations

import re

LEVEL = r"\bASL[\s-]?(\d+)((?:\s*(?:/|\bor\b|\band\b)\s*\d+)*)"
CLAUSES = (
    r"[;,:()\[\]]|\.(?!\d)|\s[-–—]+\s|\bbut\b"
    r"|(?=\b(?:not|no|below|under|without|rather than|instead of)\s+ASL)"
)
"""What ends a clause. A denial right before a level begins one."""
MOVED = r"\bfrom\s+(?:(?!\bto\b)[^;,:()])*?ASL[\s-]?\d+(?:(?!\bto\b)[^;,:()])*(?=\bto\b)"
KEPT_OPEN = r"\b(?:can\s?not|could not|can't)(?: yet)? be ruled out|\bnot(?: yet)? ruled out"
DENIED = r"\b(?:not|no|never|cannot|nor|neither)\b|n't\b|\b(?:ruled out|unnecessary)\b"
DENIED_BEHIND = r"\b(?:below|under|without|less than|short of|rather than|instead of)\b"
"""Denies what comes behind it only: `ASL-3 under RSP 2.2` requires ASL-3."""
NOT_REQUIRED = r"\b(?:not|no longer)\b.*\b(?:required|needed|necessary)|ruled out|unnecessary"


def published_level(required_standard: str) -> str | None:
    """The one ASL level that a published standard requires; None when it names none, or several.

    A denial reaches to the end of its clause, before and after the level: `ASL-2, not ASL-3` and
    `ASL-3 not required (ASL-2)` are ASL-2. Of `from ASL-2 to ASL-3` the second counts.
    """
    text = re.sub(KEPT_OPEN, "", required_standard, flags=re.IGNORECASE)
    text = re.sub(MOVED, "", text, flags=re.IGNORECASE)
    clauses: list[str] = []
    for clause in re.split(CLAUSES, text, flags=re.IGNORECASE):
        if clauses and _has(NOT_REQUIRED, clause) and not _has(LEVEL, clause):
            clauses[-1] += clause
        elif clause.strip():
            clauses.append(clause)
    found = {level for clause in clauses for level in _levels(clause)}
    return f"ASL-{found.pop()}" if len(found) == 1 else None


def _levels(clause: str) -> set[int]:
    """The levels that a clause names without denying them."""
    if _has(DENIED, clause):
        return set()
    behind = re.search(DENIED_BEHIND, clause, re.IGNORECASE)
    until = behind.start() if behind else len(clause)
    return {
        int(number)
        for found in re.finditer(LEVEL, clause[:until], re.IGNORECASE)
        for number in re.findall(r"\d+", found[0])
    }


def _has(words: str, text: str) -> bool:
    return bool(re.search(words, text, re.IGNORECASE))
