"""The pictures of the docs: Required Actions and the packet, taken from a running `make up`.

    .venv/bin/python -m tools.screenshots --home .redline/lab --port 8080

Needs Debian's chromium and a human task that waits: with `make up`, the toy run is held some
minutes after its start, and the second line is asked. Writes docs/images/*.png.
"""

from __future__ import annotations

import argparse
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from include.adapters import answers, bootstrap
from include.adapters.ledger import LedgerReader
from include.adapters.signing import KeyFile
from include.adapters.store import DirectoryStore
from include.local_stack.credentials import OFFICE_USERS
from include.local_stack.rest import AirflowRest
from include.rsp.human_tasks import OPINION, option_for
from tests.support.waiting import eventually

IMAGES = Path("docs/images")
CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENCE = 600.0


def waiting(rest: AirflowRest, task_id: str) -> dict[str, Any] | None:
    """A human task of that id that has waited for some moments."""
    for one in rest.pending_human_tasks():
        age = datetime.now(UTC) - datetime.fromisoformat(one["created_at"])
        task = one["task_instance"]
        if (task["task_id"], task["state"]) == (task_id, "awaiting_input"):
            return one if age > timedelta(seconds=2) else None
    return None


def sign_in(page: Page, base: str, user: str, password: str) -> None:
    """Sign in by the form."""
    page.goto(f"{base}/auth/login")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "login" not in url)


def give_opinion(home: Path, base: str, passwords: dict[str, str]) -> str:
    """The second line agrees (SIMULATED), so that the officers are asked; the packet's digest."""
    user = OFFICE_USERS["second-line"]
    store = DirectoryStore(home / "store")
    with AirflowRest(base, user, passwords[user]) as rest:
        asked = eventually(
            lambda: (
                waiting(rest, "sign_off_as_rso") or waiting(rest, "give_opinion_as_second_line")
            ),
            PATIENCE,
        )
        if asked["task_instance"]["task_id"] == "give_opinion_as_second_line":
            digits = asked["options"][0].rsplit("(", 1)[1].rstrip(")")
            state = LedgerReader(store).refresh()
            about = next(one for one in state.records if one.startswith(f"sha256:{digits}"))
            said = answers.said_by(
                OPINION, office="second-line", choice="agree",
                reason="nobody read it (SIMULATED)", at=datetime.now(UTC),
            )  # fmt: skip
            key = KeyFile(bootstrap.KeyFolders(home / "keys").officer("second-line"))
            envelope = answers.sign_answer(key, OPINION, about, said).model_dump_json()
            task = asked["task_instance"]
            rest.answer_human_task(
                task["dag_id"],
                task["dag_run_id"],
                task["task_id"],
                chosen_options=[option_for(OPINION, "agree", about)],
                params_input=dict.fromkeys(asked["params"]) | {"signature": envelope},
            )
        eventually(lambda: waiting(rest, "sign_off_as_rso"), PATIENCE)
    state = LedgerReader(store).refresh()
    return [key for key, one in state.records.items() if one.kind == "packet"][-1]


def take(base: str, passwords: dict[str, str], packet: str) -> None:
    """The pictures, as the RSO sees them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        sign_in(page, base, "rso", passwords["rso"])
        page.goto(f"{base}/required_actions?response_received=false")
        page.get_by_text("rso:").first.wait_for()
        page.screenshot(path=IMAGES / "required-actions.png")
        page.get_by_text("rso:").first.click()
        page.get_by_text("Recommendation").first.wait_for()
        page.screenshot(path=IMAGES / "sign-off.png", full_page=True)
        page.goto(f"{base}/redline/reports/{packet}")
        page.get_by_text("Capability Report").first.wait_for()
        page.screenshot(path=IMAGES / "packet.png")
        browser.close()


def main() -> None:
    """Wait for the question, then take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".redline/lab"))
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    if not shutil.which("chromium"):
        raise SystemExit("No chromium: `apt-get install --no-install-recommends chromium`.")
    base = f"http://127.0.0.1:{options.port}"
    passwords = json.loads((options.home / "users.json").read_text())
    take(base, passwords, give_opinion(options.home, base, passwords))


if __name__ == "__main__":
    main()
