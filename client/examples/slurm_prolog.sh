#!/usr/bin/env bash
# A Slurm prolog that starts a training job only when the gate says yes. It fails closed.
#
# Use it as PrologSlurmctld: when that fails, the job is requeued and no node is touched. (As a
# node's Prolog a refusal would also drain the node.) Slurm sets no PATH for prologs, so every
# path is said in REDLINE_CONF, a file of assignments that only root may write:
#
#   REDLINE_PYTHON=/opt/redline/bin/python      where this package is installed
#   REDLINE_STORE=/mnt/redline                  the store, or its mirror
#   REDLINE_TRUST_ROOT=/etc/redline/trust_root.json
#   REDLINE_SECONDS=30                          the longest that the question may take
#
# The job says which run it is and up to which effective compute it will train:
#
#   sbatch --comment=redline:RUN:FLOP train.sh
#
# The prolog keeps jobs from starting; what keeps them from going on is the gate in the loop.
set -euo pipefail

PATH=/usr/local/bin:/usr/bin:/bin
export PATH

refuse() {
    printf 'redline: job %s does not start: %s\n' "${SLURM_JOB_ID:-unknown}" "$1" >&2
    exit 1
}

conf="${REDLINE_CONF:-/etc/redline/prolog.conf}"
[[ -r "$conf" ]] || refuse "cannot read $conf. Write it as the head of this script says."
# shellcheck source=/dev/null
source "$conf"

[[ "${SLURM_JOB_COMMENT:-}" =~ ^redline:([a-z0-9][a-z0-9._-]{0,99}):([0-9.eE+]+)$ ]] ||
    refuse "no --comment=redline:RUN:FLOP (got '${SLURM_JOB_COMMENT:-}'). Submit it with one."
run="${BASH_REMATCH[1]}"
flop="${BASH_REMATCH[2]}"

status=0
answer="$(timeout --kill-after=5 "${REDLINE_SECONDS:-30}" \
    "${REDLINE_PYTHON:?}" -m client ask \
    --store "${REDLINE_STORE:?}" --trust-root "${REDLINE_TRUST_ROOT:?}" \
    --run "$run" --to "$flop" 2>&1)" || status=$?

[[ "$status" -eq 0 ]] || refuse "exit code $status: ${answer:-no answer in time}"
printf 'redline: job %s may start: %s\n' "${SLURM_JOB_ID:-unknown}" "$answer"
