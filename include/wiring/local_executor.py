"""Airflow's LocalExecutor that does not stand still for ever when an idle worker was killed.

Its workers wait for work on one queue, and the one that listens holds the queue's lock. If that one
is killed (by the system when memory runs out, or by a person), the lock is never let go: new
workers are started, none of them gets any work, and nothing says so (Airflow 3.3.2). So the
scheduler ends when a worker was killed, whoever supervises it starts it again, and what was queued
is queued anew; a task that runs goes on. It ends by SIGKILL: an orderly end would wait for workers
that cannot hear it.
"""

from __future__ import annotations

import logging
import os
import signal

from airflow.executors.local_executor import LocalExecutor

log = logging.getLogger("redline.local_executor")


class RestartingLocalExecutor(LocalExecutor):
    """Ends its scheduler when one of its workers was ended by a signal."""

    def _check_workers(self) -> None:
        killed = [pid for pid, one in self.workers.items() if (one.exitcode or 0) < 0]
        if killed:
            log.error(
                "workers %s were killed (expected: they end with the scheduler); the queue that "
                "they share may be locked for ever, so the scheduler ends and is started again",
                killed,
            )
            os.kill(os.getpid(), signal.SIGKILL)
        super()._check_workers()
