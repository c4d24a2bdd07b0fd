#!/usr/bin/env bash
# The lock's pins without hashes: what plain `pip install -r requirements.txt` takes.
echo "# Generated from requirements.lock by tools/pins.sh; edit requirements.in and run 'make lock'."
grep -oE '^[a-z0-9][a-z0-9._-]*(\[[a-z0-9,-]+\])?==[^ ]+( ; [^\\]+)?' requirements.lock | sed 's/ *$//'
