"""The digests of the code that decides, stamped into every record (DESIGN §10)."""

from __future__ import annotations

import functools
from pathlib import Path

from include.rsp.canonical import digest_bytes, digest_of
from include.rsp.records import CodeStamp

PROJECT = Path(__file__).resolve().parents[2]


@functools.cache
def code_stamp() -> CodeStamp:
    """Digests of every module of `include/rsp` and of the dependency lock."""
    domain = PROJECT / "include" / "rsp"
    files = {path.name: digest_bytes(path.read_bytes()) for path in sorted(domain.glob("*.py"))}
    lock = (PROJECT / "requirements.lock").read_bytes()
    return CodeStamp(domain=digest_of(files), lock=digest_bytes(lock))
