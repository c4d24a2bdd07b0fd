"""What `rsp replay` prints for people: each model's answer first, then what it rests on."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from include.rsp.restatement import NEXT_STEP, Flag

WIDTH = 100
NAMED = 2
"""How many models that differ a line of the sweep names."""


def replay_text(found: dict[str, Any]) -> str:
    """Models, then what does not fit together, then the count."""
    policy = found["policy"]
    parts = [f"Policy {policy}; buffer {found['buffer']:.0%} of the limit."]
    parts += [_model_text(row, policy) for row in found["models"]]
    parts += [
        wrapped(f"{model}: determined, but no result was published.")
        for model in found["not_reported"]
    ]
    if found["inconsistencies"]:
        each = [_inconsistency_text(one) for one in found["inconsistencies"]]
        parts.append("\n".join(["What does not fit together:", *each]))
    if found["restated"]:
        each = [_restated_text(one) for one in found["restated"]]
        parts.append("\n".join(["Values that were printed twice:", *each]))
    return "\n\n".join([*parts, _summary(found)])


def sweep_text(table: list[dict[str, Any]]) -> str:
    """The agreement by rule and buffer, one line each, with who differs."""
    lines = [f"{'rule':14} {'buffer':>6} {'determined':>10} {'decided':>8} {'agree':>6}  differ"]
    lines += [
        f"{one['rule']:14} {one['buffer']:6.0%} {one['determined']:10} {one['decided']:8} "
        f"{one['agree']:6}  {_few(one['differ'])}".rstrip()
        for one in table
    ]
    return "\n".join(lines)


def wrapped(text: str, *, indent: int = 0) -> str:
    """Within the width; what follows the first line stands two further in."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _model_text(row: dict[str, Any], policy: str) -> str:
    answer = (
        f"{row['engine']} by {row['decided_by']}"
        if row["decided"]
        else f"judgement, until then as {row['engine']}"
    )
    head = f"{row['model']}: {answer}; {_beside(row)}"
    why = f"explained by {row['explained_by']}: {row['explanation']}"
    lines = [wrapped(head), wrapped(why, indent=2)]
    doubts = [f"row {number} ({', '.join(flags)})" for number, flags in row["doubts"].items()]
    if doubts:
        lines.append(wrapped(f"IN DOUBT, see below: {', '.join(doubts)}", indent=2))
    said = row["published"]
    if said:
        text = f"published: {said['required_standard'] or 'no standard'}"
        lines.append(wrapped(f"{text}. Reason: {said['published_reason'] or 'none'}", indent=2))
    others = [one for one in row["frameworks"] if _major(one) != _major(policy)]
    if others:
        text = f"published under {', '.join(others)}; held here to {policy}"
        lines.append(wrapped(text, indent=2))
    return "\n".join([*lines, *_lines_text(row["red_lines"])])


def _major(version: str) -> str | None:
    """`2` of `RSP v2.0` or `anthropic-rsp 2.2`."""
    found = re.search(r"\d+", version)
    return found[0] if found else None


def _beside(row: dict[str, Any]) -> str:
    if not row["published"]:
        return "nothing was determined"
    level = row["published_level"]
    if level is None:
        return "not comparable, because no known level was published"
    agrees = {True: "agrees", False: "DIFFERS", None: "left to judgement"}[row["agrees"]]
    return f"published {level}: {agrees}"


def _lines_text(lines: list[dict[str, Any]]) -> list[str]:
    """The red lines, those with one answer together."""
    same: dict[str, list[str]] = {}
    for line in lines:
        mark = "" if line["decided"] else " [people]"
        why = line["because"].removeprefix("judgement: ")
        same.setdefault(f"{line['status']}{mark}: {why}", []).append(line["red_line"])
    return [wrapped(f"{', '.join(names)}: {said}", indent=4) for said, names in same.items()]


def _inconsistency_text(one: dict[str, Any]) -> str:
    plural = "s" if len(one["rows"]) > 1 else ""
    rows = f"row{plural} {', '.join(map(str, one['rows']))}"
    named = one["what"] if "row" in one["what"] else f"{one['what']} ({rows})"
    return _flagged(f"{one['evaluation']}: {named}", [Flag(flag) for flag in one["flags"]])


def _restated_text(one: dict[str, Any]) -> str:
    kind = f" [{one['kind']}]" if one["kind"] else ""
    return _flagged(
        f"{one['model']}, {one['evaluation']}: {one['value_a']} ({one['source_a']}), "
        f"then {one['value_b']} ({one['source_b']}){kind}",
        one["flags"],
    )


def _flagged(what: str, flags: list[Flag]) -> str:
    steps = [wrapped(f"{flag}: {NEXT_STEP[flag]}", indent=4) for flag in flags]
    return "\n".join([wrapped(what, indent=2), *steps])


def _summary(found: dict[str, Any]) -> str:
    text = (
        f"Of {found['determined']} determined models the rules decide {found['decided']}; "
        f"{found['agree']} of these agree; {found['judgement']} left to judgement."
    )
    return f"{text} {found['not_comparable']} not comparable." if found["not_comparable"] else text


def _few(names: list[str]) -> str:
    more = f" +{len(names) - NAMED}" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
