"""Runs the `airflow` command in this process; started by the supervisor, never imported.

    python -m include.local_stack.airflow_process scheduler --skip-serve-logs

Starting Airflow is ten seconds of imports and class building, a seventh of them spent in garbage
collections that find nothing. The thresholds stay: these processes live long and make few cycles.
"""

from __future__ import annotations

import gc
import os
import runpy
import sys

from include.local_stack.airflow_settings import STACK_MARK
from include.local_stack.processes import end_orphaned_workers

YOUNG_OBJECTS = 50_000


def main() -> None:
    """Prepare the process, then become Airflow."""
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    if sys.argv[1:2] == ["scheduler"]:
        end_orphaned_workers(os.environ.get(STACK_MARK, ""))
    runpy.run_module("airflow", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
