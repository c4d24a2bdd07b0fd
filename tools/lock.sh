#!/usr/bin/env bash
# requirements.in -> requirements.lock (with hashes) and requirements.txt (pins alone), together.
set -euo pipefail
venv=$1
"$venv/bin/uv" pip compile --quiet --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
  --no-emit-find-links --generate-hashes requirements.in -o requirements.lock
bash tools/pins.sh > requirements.txt
