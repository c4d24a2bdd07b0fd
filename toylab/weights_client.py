"""`python -m toylab.weights_client read|unlock`: ask the keeper of the weights with two keys.

Two people would sign apart. Both keys in one hand is what an intruder has; here it is the drill's
intruder, and whoever opens the demo's lock, with SIMULATED keys.
"""

from __future__ import annotations

import argparse
import http.client
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from include.adapters.signing import KeyFile
from toylab.weights import authorise

SECONDS = 10.0


def ask(url: str, action: str, name: str, keys: Sequence[KeyFile]) -> tuple[int, bytes]:
    """(HTTP status, content); raises OSError or HTTPException when nothing answers."""
    request = secrets.token_hex(8)
    signed = [authorise(key, action=action, name=name, request=request) for key in keys]
    body = {"name": name, "authorisations": [one.model_dump(mode="json") for one in signed]}
    place = urlsplit(url)
    link = http.client.HTTPConnection(place.hostname or "", place.port, timeout=SECONDS)
    try:
        link.request("POST", f"/weights/{action}", json.dumps(body))
        answer = link.getresponse()
        return answer.status, answer.read()
    finally:
        link.close()


def main() -> int:
    """Ask; 0 when it was granted."""
    parser = argparse.ArgumentParser(prog="toylab.weights_client", description=__doc__)
    parser.add_argument("action", choices=["read", "unlock"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="lock", help="of the file; any for unlock")
    parser.add_argument("--key", type=Path, action="append", required=True, help="twice")
    parser.add_argument("--out", type=Path, help="where the weights go")
    options = parser.parse_args()
    keys = [KeyFile(one) for one in options.key]
    status, content = ask(options.url, options.action, options.name, keys)
    if status != http.client.OK:
        sys.stderr.write(f"HTTP {status}: {content[:500].decode(errors='replace')}\n")
        return 1
    if options.out is not None:
        options.out.write_bytes(content)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
