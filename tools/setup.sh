#!/usr/bin/env bash
# The virtual environment, from the lock with hashes. Needs Python 3.11 and pip, nothing else.
set -euo pipefail
python=$1 venv=$2
if ! command -v "$python" >/dev/null 2>&1; then python=python3; fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
if [ "$version" != 3.11 ]; then
  echo "setup: got Python '${version:-none}' as $python (expected 3.11). Try: make PYTHON=/path/to/python3.11" >&2
  exit 1
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
uv=$(grep -oE '^uv==[^ ]+' requirements.lock)
if ! "$venv/bin/uv" --version 2>/dev/null | grep -qF "${uv#uv==}"; then
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$uv"
fi
echo "setup: installing $(grep -cE '^[a-z0-9].*==' requirements.lock) pinned packages into $venv"
"$venv/bin/uv" pip sync --quiet --python "$venv/bin/python" --require-hashes requirements.lock
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
