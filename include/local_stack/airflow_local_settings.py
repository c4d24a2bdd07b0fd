"""Preloads what validation tasks import, in the scheduler alone; copied to AIRFLOW_HOME/config.

Under LocalExecutor tasks are forked from the scheduler, so what it has imported is there already
and its memory is shared: measured, 0.3 s for a task that imports Great Expectations, not 4-7 s,
and a log without its 200 lines on being imported. Airflow imports this module by name in *every*
process: the API server, the DAG processor and one-off commands must not pay for it.
"""

from __future__ import annotations

import importlib
import sys

PRELOADED = ("scipy.stats", "pandas", "boto3", "great_expectations", "include.wiring.preloaded")

# Airflow copies every public name of this module into its own settings; it shall copy none.
__all__: list[str] = []


def _is_scheduler(arguments: list[str]) -> bool:
    return arguments[1:2] == ["scheduler"]


def _preload() -> None:
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            sys.stderr.write(f"airflow_local_settings: {name} is not preloaded: {error}\n")


if _is_scheduler(sys.argv):
    _preload()
