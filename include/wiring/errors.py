"""The only place where our errors become Airflow's: a refusal fails at once, a fault is retried."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.rsp.errors import DomainError, Refused, TransportError

P = ParamSpec("P")
T = TypeVar("T")

WORTH_ANOTHER_TRY = frozenset({"stale_index", "clock_regress", "not_derivable"})


def as_airflow(call: Callable[P, T]) -> Callable[P, T]:
    """Wrap a task body.

    Some refusals only say that the ledger moved on between reading and asking; those are retried,
    and the retry reads anew.
    """

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except Refused as error:
            message = f"[{error.code}] {error.message}"
            if error.code in WORTH_ANOTHER_TRY:
                raise AirflowException(message) from error
            raise AirflowFailException(message) from error
        except DomainError as error:
            raise AirflowFailException(str(error)) from error
        except TransportError as error:
            raise AirflowException(str(error)) from error

    return wrapped
