"""How many samples a rule-out needs (DESIGN §7: minimum sample size and power).

For shares decided by the exact bound (`clopper_pearson@1`): the line is `below` when the upper
bound on s successes of n, plus the buffer, is under the limit.
"""

from __future__ import annotations

import math

from scipy.special import bdtr, betaincinv

from include.rsp.errors import DomainError

MOST = 100_000
MOST_EXACT = 10**12


def most_successes(n: int, limit: float, confidence: float) -> int:
    """The most successes of n whose exact upper bound is still under the limit; -1: not even 0.

    Args:
        limit: the rule-out limit less the buffer, as a share in (0, 1].
    """
    low, high = -1, n - 1  # the bound grows with the successes; with n of n it is 1
    while low < high:
        middle = (low + high + 1) // 2
        if float(betaincinv(middle + 1, n - middle, confidence)) < limit:
            low = middle
        else:
            high = middle - 1
    return low


def fewest_samples(limit: float, confidence: float) -> int:
    """The fewest samples of which none at all succeeds that have an upper bound under the limit.

    The exact bound on 0 of n is 1 - (1 - confidence)^(1/n). More than a million million of them are
    as good as never, and only about so many.
    """
    n = max(1, _at_least(limit, confidence)) if limit < 1 else 1
    while n <= MOST_EXACT and most_successes(n, limit, confidence) < 0:
        n += 1
    return n


def _at_least(limit: float, confidence: float) -> int:
    wanted = math.log1p(-confidence) / math.log1p(-limit)
    return math.floor(min(wanted, 10.0 * MOST_EXACT))


def power(n: int, limit: float, truth: float, confidence: float) -> float:
    """Probability that n samples rule out a true share: P(X <= s) with X binomial."""
    most = most_successes(n, limit, confidence)
    return 0.0 if most < 0 else float(bdtr(most, n, truth))


def minimum_sample_size(limit: float, truth: float, confidence: float, wanted: float) -> int:
    """The fewest samples from which on no step back in power below `wanted` follows within 5%.

    The power of an exact test goes up and down with n (its steps are whole successes), so the first
    n that reaches it is not enough.

    Raises:
        DomainError: the truth is not under the limit, or more than 100,000 samples are needed.
    """
    if not 0 <= truth < limit:
        raise DomainError(f"A true share of {truth} cannot be shown to be under {limit}.")
    n = 1
    while n <= MOST:
        ahead = range(n, n + max(2, n // 20))
        short = [one for one in ahead if power(one, limit, truth, confidence) < wanted]
        if not short:
            return n
        n = max(short) + 1
    raise DomainError(f"More than {MOST} samples are needed to tell {truth} from {limit}.")


def minimum_detectable_effect(n: int, limit: float, confidence: float, wanted: float) -> float:
    """How far under the limit the true share has to be for n samples to rule out that often.

    Returns:
        limit - truth, to a millionth, rounded up; the limit itself when no truth suffices.
    """
    low, high = 0.0, limit
    if power(n, limit, low, confidence) < wanted:
        return limit
    while high - low > 5e-7:
        middle = (low + high) / 2
        if power(n, limit, middle, confidence) >= wanted:
            low = middle
        else:
            high = middle
    return round(limit - low + 5e-7, 6)
