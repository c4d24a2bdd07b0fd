"""Whether the API server's port is free, asked before anything starts."""

from __future__ import annotations

import socket

from include.local_stack.errors import PortBusy
from include.local_stack.layout import HOST

HIGHEST_PORT = 65_535
PROPOSAL_STEP = 10


def require_free_port(port: int) -> None:
    """Raises: PortBusy, naming a port that is free."""
    if is_free(port):
        return
    proposals = range(port + PROPOSAL_STEP, HIGHEST_PORT, PROPOSAL_STEP)
    other = next((each for each in proposals if is_free(each)), port + PROPOSAL_STEP)
    raise PortBusy(
        f"Port {port} on {HOST} is taken (expected: free, for Airflow's API server); nothing was "
        f"started. Stop what listens there, or choose another port: make up PORT={other}"
    )


def is_free(port: int) -> bool:
    """Whether one can listen there now; connections that are still closing do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Some port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
