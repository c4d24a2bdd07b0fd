from __future__ import annotations

import re
import socket

import pytest

from include.local_stack.errors import PortBusy
from include.local_stack.ports import free_port, is_free, require_free_port


def test_a_free_port_is_free() -> None:
    port = free_port()
    assert is_free(port)
    require_free_port(port)


def test_a_busy_port_is_named_with_a_free_one_to_use() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(PortBusy, match=rf"Port {port} on 127\.0\.0\.1 is taken") as raised:
            require_free_port(port)

        proposed = re.search(r"make up PORT=(\d+)", str(raised.value))
        assert proposed is not None
        assert is_free(int(proposed.group(1)))
