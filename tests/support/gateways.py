"""Servers on loopback that stand before another one: started, given their address, ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that no longer waits is what some tests are about."""


@contextmanager
def served(gateway: Any, handler: type[BaseHTTPRequestHandler]) -> Iterator[Any]:
    """A gateway, with its `url` set, behind handlers that know it as `gateway`; its `closing`
    event is set when the block ends.
    """
    knowing = type("Handler", (handler,), {"gateway": gateway})
    with _Server(("127.0.0.1", 0), knowing) as server:
        gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield gateway
        gateway.closing.set()
        server.shutdown()
        thread.join()
