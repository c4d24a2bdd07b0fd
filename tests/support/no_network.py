"""Closing the network to a process, so that whoever tries to leave it is seen."""

from __future__ import annotations

import socket
import sys
from typing import Any, NoReturn

LEFT = "TRIED TO LEAVE THE MACHINE:"


def _refused(*where: Any, **_: Any) -> NoReturn:
    sys.stderr.write(f"{LEFT} {where[-1]}\n")
    raise OSError(f"no network in this test: {where[-1]}")


def close_the_network() -> None:
    """No connection and no name look-up from here on, but for local sockets."""
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, real: Any = real) -> Any:
            return real(self, address) if self.family == socket.AF_UNIX else _refused(address)

        setattr(socket.socket, name, guarded)
    socket.getaddrinfo = _refused
