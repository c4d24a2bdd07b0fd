"""The Data Docs page of one validated run: Great Expectations' own rendering, on a page of ours.

Rendered from the stored result, outside the hot path. The page is one file without scripts, links
or pictures, and it tells the browser to load nothing: it can be kept as a blob and opened anywhere.
What stands in it came out of a model, so every value is escaped before it is rendered.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResultSchema,
)
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaSectionView

from include.adapters.validation_messages import got

LONGEST = 500
"""Characters of one value that are shown; the stored result keeps them all."""
LINKS = re.compile(r"<(/?)a\b[^>]*>")
UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0;width:100%}
td,th{border-top:1px solid #8885;padding:.3rem .5rem;text-align:left;vertical-align:top}
h5{font-size:1.1rem;margin:1.5rem 0 .3rem}h6{font-size:1rem;margin:.3rem 0}
.badge{background:#8883;border-radius:.2rem;padding:0 .3rem}
.text-success{color:#1a7f37}.text-danger{color:#cf222e}i{font-style:normal}
.fa-check-circle::before{content:"✓"}.fa-times::before{content:"✗"}
.fa-exclamation-triangle::before{content:"!"}
.popover,.collapse p{display:none}pre{white-space:pre-wrap}
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def render_page(report: Mapping[str, Any], *, title: str = "Validation of results") -> bytes:
    """The page of one stored report (`Validated.report`), as UTF-8 HTML.

    The same report always gives the same bytes. It reads from top to bottom: what failed and what
    to do, then every expectation as Great Expectations shows it.
    """
    name = str(report.get("suite_name", title))
    heading = title if name == title else f"{title}: {name}"
    if "results" not in report:
        reason = html.escape(str(report.get("reason", "the report says nothing")))
        body = f'<p class="text-danger">Quarantined without a look: {reason}</p>'
    else:
        body = _in_short(report) + _in_full(report)
    return PAGE.format(title=html.escape(heading), style=STYLE, body=body).encode()


def _in_short(report: Mapping[str, Any]) -> str:
    failed = [one for one in report["results"] if not one["success"]]
    if report["success"] and not failed:
        return f'<p class="text-success">Valid: all {len(report["results"])} expectations hold.</p>'
    rows = []
    for one in failed:
        said = one["expectation_config"]["meta"]
        cells = (said["what"], got(one), said["expected"], said["next"])
        rows.append("".join(f"<td>{html.escape(_short(str(cell)))}</td>" for cell in cells))
    return (
        f'<p class="text-danger">Quarantined: {len(failed)} of {len(report["results"])} '
        "expectations do not hold. These results count as no results.</p>"
        "<table><tr><th>What</th><th>Got</th><th>Expected</th><th>Next</th></tr>"
        + "".join(f"<tr>{row}</tr>" for row in rows)
        + "</table>"
    )


def _in_full(report: Mapping[str, Any]) -> str:
    """Great Expectations' rendering, without what would need its scripts, styles and site."""
    results = [
        one | {"result": _escaped(one["result"]), "exception_info": _escaped(one["exception_info"])}
        for one in report["results"]
    ]
    loaded = ExpectationSuiteValidationResultSchema().load({**report, "results": results})
    document = ValidationResultsPageRenderer().render(loaded)
    view = DefaultJinjaSectionView()
    sections = [
        view.render({"section": one.to_json_dict(), "section_loop": {"index": number}})
        for number, one in enumerate(document.sections, start=1)
    ]
    return UUIDS.sub("", LINKS.sub(r"<\1span>", "".join(sections)))


def _escaped(value: Any) -> Any:
    """The value with all of its text harmless in HTML: Great Expectations does not see to it."""
    if isinstance(value, Mapping):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return html.escape(_short(value)) if isinstance(value, str) else value


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
