"""One table of all attempts at a run: what an earlier attempt finished counts once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from include.adapters.result_frame import ALWAYS, KEY, ResultTable, plain_frame


def union_of_attempts(tables: Sequence[ResultTable]) -> pd.DataFrame:
    """One table of all attempts at a run, the first attempt first.

    A sample in an epoch counts from the first attempt that finished it (every scorer gave a score),
    so that trying again chooses nothing; where none did, from the last attempt that has it. Rows
    that come twice within one attempt stay, for validation to see.

    Raises:
        ValueError: there are no tables, or one has no columns to tell by.
    """
    if not tables:
        raise ValueError("no attempts to unite (expected at least one table)")
    frames = [plain_frame(one) for one in tables]
    if len(frames) == 1:
        return frames[0]
    for one in frames:
        if not set(ALWAYS) <= set(one.columns):
            raise ValueError(f"an attempt has the columns {list(one.columns)} (expected {ALWAYS})")
    united = pd.concat(frames, ignore_index=True)
    attempt = pd.Series(np.repeat(range(len(frames)), [len(one) for one in frames]))
    key = [united[one] for one in KEY]
    broken = united["score"].isna() | united["error"].notna()
    unfinished = broken.groupby([*key, attempt], dropna=False).transform("any").astype(bool)
    rank = attempt.where(~unfinished, 2 * len(frames) - attempt)
    best = rank.groupby(key, dropna=False).transform("min")
    return united[rank == best].reset_index(drop=True)
