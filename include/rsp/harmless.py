"""Text that others wrote, made harmless inside the Markdown that people sign for."""

from __future__ import annotations

SIGNS = "\\`*_[]<>|#~&"
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" + "".join(
    chr(one) for one in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
"""What counts as a printable letter and shows nothing: fillers and variation selectors."""


def in_line(text: str) -> str:
    """The text on one line, every sign of it shown as it is: no markup, no hidden characters."""
    kept = "".join(one if _shows(one) else " " for one in text)
    return "".join("\\" + one if one in SIGNS else one for one in kept)


def verbatim(text: str) -> str:
    """The text as a block that is shown as it was written, line by line."""
    lines = text.splitlines() or [""]
    return "\n".join(
        "    " + "".join(one if _shows(one) else " " for one in line) for line in lines
    )


def _shows(letter: str) -> bool:
    return letter.isprintable() and letter not in BLANK
