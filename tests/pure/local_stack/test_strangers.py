from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from include.local_stack.errors import OpenToStrangers
from include.local_stack.ports import free_port
from include.local_stack.strangers import CLOSED_PATHS, refuse_strangers


@contextmanager
def api_that_answers(statuses: dict[str, int]) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_an_api_that_asks_strangers_for_credentials_is_accepted() -> None:
    with api_that_answers(dict.fromkeys(CLOSED_PATHS, 401)) as url:
        refuse_strangers(url)


@pytest.mark.parametrize("status", [200, 403, 404, 307, 500])
@pytest.mark.parametrize("path", CLOSED_PATHS)
def test_any_other_answer_on_any_path_refuses(path: str, status: int) -> None:
    statuses = dict.fromkeys(CLOSED_PATHS, 401) | {path: status}
    with (
        api_that_answers(statuses) as url,
        pytest.raises(OpenToStrangers, match=rf"{path} without credentials .* {status} "),
    ):
        refuse_strangers(url)


def test_silence_refuses() -> None:
    with pytest.raises(OpenToStrangers, match="ConnectError"):
        refuse_strangers(f"http://127.0.0.1:{free_port()}")
