"""Preloads what forked processes would import again; copied to AIRFLOW_HOME/config.

Under LocalExecutor tasks are forked from the scheduler, so what it has imported is there already
and its memory is shared: measured, 0.3 s for a task that imports Great Expectations, not 4-7 s,
and a log without its 200 lines on being imported. Airflow imports this module by name in *every*
process: the API server and one-off commands must not pay for it. The DAG processor preloads only
what Airflow itself imports in every file that names an asset, once the amazon provider is there.
"""

from __future__ import annotations

import importlib
import sys

PRELOADED = ("scipy.stats", "pandas", "boto3", "great_expectations", "include.wiring.preloaded")

# Airflow copies every public name of this module into its own settings; it shall copy none.
__all__: list[str] = []


_PRELOADED_BY = {"scheduler": PRELOADED, "dag-processor": ("boto3.s3.transfer",)}


def _preload(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            sys.stderr.write(f"airflow_local_settings: {name} is not preloaded: {error}\n")


def _preloaded_by(arguments: list[str]) -> tuple[str, ...]:
    return _PRELOADED_BY.get("".join(arguments[1:2]), ())


_preload(_preloaded_by(sys.argv))
