"""The Capability Report as an HTML page (markdown-it-py). Nothing in the text becomes markup."""

from __future__ import annotations

import html

from markdown_it import MarkdownIt

STYLE = """
:root { color-scheme: light dark; font: 16px/1.55 system-ui, sans-serif; }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .92em; }
td, th { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0;
  border-bottom: 1px solid #8886; overflow-wrap: break-word; }
th, td strong { white-space: nowrap; }
code { background: #8882; padding: .1em .3em; overflow-wrap: anywhere; }
hr { margin: 2.5rem 0; border: 0; border-top: 3px double #8888; }
"""


def page_of(text: str) -> bytes:
    """The page of a report or packet; the same bytes for the same text."""
    title = text.split("\n", 1)[0].removeprefix("# ")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>\n{body}</body></html>\n"
    ).encode()
