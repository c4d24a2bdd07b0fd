"""What is known about the stack that runs: a small file beside the supervisor's socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.local_stack.auth import Auth
from include.local_stack.credentials import write_private
from include.local_stack.layout import HOST, Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """Written when supervisord has started, removed when everything is down.

    `required` programs must run for the stack to be ready; `stop_seconds` is how long all of them
    together may take to stop.
    """

    socket: Path
    port: int
    started_at: datetime
    dags_folder: Path
    required: tuple[str, ...]
    stop_seconds: int
    auth: Auth = Auth.SIMPLE

    @property
    def base_url(self) -> str:
        """Where the running stack's API server listens."""
        return f"http://{HOST}:{self.port}"


def write_record(layout: Layout, record: StackRecord) -> None:
    """Replace the stack file."""
    fields = {
        "socket": str(record.socket),
        "port": record.port,
        "started_at": record.started_at.isoformat(),
        "dags_folder": str(record.dags_folder),
        "required": list(record.required),
        "stop_seconds": record.stop_seconds,
        "auth": record.auth.value,
    }
    write_private(layout.stack_file, json.dumps(fields, indent=2) + "\n")


def read_record(layout: Layout) -> StackRecord | None:
    """The stack file, or None when there is none or it does not read (then nothing is trusted)."""
    try:
        fields = json.loads(layout.stack_file.read_text(encoding="utf-8"))
        return StackRecord(
            socket=Path(fields["socket"]),
            port=int(fields["port"]),
            started_at=datetime.fromisoformat(fields["started_at"]),
            dags_folder=Path(fields["dags_folder"]),
            required=tuple(str(name) for name in fields["required"]),
            stop_seconds=int(fields["stop_seconds"]),
            auth=Auth(fields.get("auth", Auth.SIMPLE)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
