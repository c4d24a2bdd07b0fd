"""Text that others wrote, made harmless inside the Markdown that people sign for."""

from __future__ import annotations

SIGNS = "\\`*_[]<>|#~&"


def in_line(text: str) -> str:
    """The text on one line, every sign of it shown as it is: no markup, no hidden characters."""
    kept = "".join(one if one.isprintable() else " " for one in text)
    return "".join("\\" + one if one in SIGNS else one for one in kept)


def verbatim(text: str) -> str:
    """The text as a block that is shown as it was written, line by line."""
    lines = text.splitlines() or [""]
    return "\n".join(
        "    " + "".join(one if one.isprintable() else " " for one in line) for line in lines
    )
