"""The console: pages inside the Airflow UI that show records. Every route needs a signed-in user.

For now one page lists the ledger and one shows a record; each deciding task links to its record.
Airflow loads plugins into every process, so what is heavy is imported inside.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.core_api.security import requires_authenticated
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse, PlainTextResponse

from include.rsp.errors import RedlineError
from include.wiring.settings import Settings

if TYPE_CHECKING:
    from include.rsp.state import LedgerState

PREFIX = "/redline"
DIGEST = r"sha256:[0-9a-f]{64}"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; }
pre { white-space: pre-wrap; word-break: break-word; background: #8881; padding: 1rem; }
code { font-size: .9em; }
"""

app = FastAPI(
    title="Redline", docs_url=None, redoc_url=None, openapi_url=None,
    dependencies=[Depends(requires_authenticated())],
)  # fmt: skip


def _state() -> LedgerState:
    from include.adapters.ledger import LedgerReader
    from include.adapters.store import open_store

    try:
        return LedgerReader(open_store(Settings.from_environment().store)).refresh()
    except RedlineError as error:
        raise HTTPException(503, f"The ledger cannot be read: {error}") from error


def _page(title: str, body: str) -> HTMLResponse:
    content = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>"
    )
    return HTMLResponse(content, headers=HEADERS)


@app.get("/", response_class=HTMLResponse)
def ledger() -> HTMLResponse:
    """The ledger, newest entry first."""
    state = _state()
    rows = "".join(
        f"<tr><td>{index}<td>{state.records[digest].at:%Y-%m-%d %H:%M:%S}"
        f"<td>{state.records[digest].kind}<td>{_link(digest)}"
        f"<td>{html.escape(state.records[digest].by)}</tr>"
        for digest, index in reversed(state.index_of.items())
    )
    head = "<tr><th>entry<th>at<th>kind<th>record<th>by</tr>"
    jobs = f"<p><a href='{PREFIX}/evaluations'>Evaluations that run</a></p>"
    return _page("Redline ledger", f"{jobs}<table>{head}{rows}</table>")


@app.get("/evaluations", response_class=HTMLResponse)
def evaluations() -> HTMLResponse:
    """How far each evaluation job is that has a folder on this machine, the newest first."""
    from include.adapters.process_evaluator import ProcessEvaluator

    jobs = ProcessEvaluator(Settings.from_environment().jobs)
    rows = "".join(
        f"<tr><td><code>{html.escape(job)}</code><td>{status.state}<td>{status.attempts}"
        f"<td>{html.escape(status.progress.in_words() if status.progress else '')}</tr>"
        for job, status in jobs.every(at_most=200)
    )
    head = "<tr><th>job<th>state<th>attempts<th>progress</tr>"
    return _page("Redline evaluations", f"<table>{head}{rows}</table>")


@app.get("/records/{digest}", response_class=HTMLResponse)
def record(digest: str) -> HTMLResponse:
    """One record, with links to the records and files that it names."""
    from include.rsp.reading import blobs

    state = _state()
    if digest not in state.records:
        raise HTTPException(404, f"No record {digest} in the ledger.")
    found = state.records[digest]
    text = html.escape(json.dumps(found.model_dump(mode="json"), indent=1), quote=False)
    linked = re.sub(
        DIGEST,
        lambda match: _link(match[0], match[0]) if match[0] in state.records else match[0],
        text,
    )
    files = "".join(
        f"<li><a href='{PREFIX}/files/{ref.blob}'>{html.escape(ref.name)}</a> ({ref.bytes} bytes)"
        for ref in blobs(found)
    )
    shown = (
        f"<p><a href='{PREFIX}/reports/{digest}'>Read it as its signers are shown it</a></p>"
        if found.kind in ("capability_report", "packet", "safeguards_report")
        else "".join(
            f"<p>Quarantined: <a href='{PREFIX}/validations/{digest}/{run}'>what Great "
            f"Expectations found in {run}</a></p>"
            for run in getattr(found, "pages", ())
        )
    )
    body = (
        f"{shown}<p>Entry {state.index_of[digest]} of the ledger, by {html.escape(found.by)}, "
        f"{found.at:%Y-%m-%d %H:%M:%S} UTC. <a href='{PREFIX}/'>All entries</a></p>"
        f"<ul>{files}</ul><pre>{linked}</pre>"
    )
    return _page(f"{found.kind} {digest[7:19]}", body)


@app.get("/reports/{digest}", response_class=HTMLResponse)
def report(digest: str) -> HTMLResponse:
    """A report or packet as the page that its signers are shown, from the store."""
    from include.rsp.records import CapabilityReport, Packet, SafeguardsReport

    found = _state().records.get(digest)
    if not isinstance(found, CapabilityReport | Packet | SafeguardsReport):
        raise HTTPException(404, f"No report or packet {digest} in the ledger.")
    return HTMLResponse(_stored(found.page.blob), headers=HEADERS)


@app.get("/validations/{digest}/{run}", response_class=HTMLResponse)
def validation(digest: str, run: str) -> HTMLResponse:
    """The Data Docs page of one quarantined run of an assessment, from the store."""
    from include.rsp.records import Validation

    found = _state().records.get(digest)
    if not isinstance(found, Validation) or run not in found.pages:
        raise HTTPException(404, f"No page of the validation of {run} in {digest}.")
    return HTMLResponse(_stored(found.pages[run].blob), headers=HEADERS)


@app.get("/files/{digest}", response_class=PlainTextResponse)
def stored_file(digest: str) -> PlainTextResponse:
    """A stored file as plain text: whatever a model wrote into it is never interpreted."""
    if not re.fullmatch(DIGEST, digest):
        raise HTTPException(404, "That is no digest.")
    return PlainTextResponse(_stored(digest).decode("utf-8", "replace"), headers=HEADERS)


def _stored(blob: str) -> bytes:
    from include.adapters.store import get_blob, open_store

    try:
        return get_blob(open_store(Settings.from_environment().store), blob)
    except RedlineError as error:
        raise HTTPException(404, str(error)) from error


def _link(digest: str, text: str | None = None) -> str:
    return f"<a href='{PREFIX}/records/{digest}'><code>{text or digest[7:19]}</code></a>"


class RedlineConsole(AirflowPlugin):
    """Registers the pages and a link in the navigation."""

    name = "redline_console"
    fastapi_apps: list[Any] = [{"app": app, "url_prefix": PREFIX, "name": "Redline"}]  # noqa: RUF012
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Redline ledger",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "url_route": "redline-ledger",
        }
    ]
