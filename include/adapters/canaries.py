"""Whether a model was shown a dataset's canary strings, or says them: contamination."""

from __future__ import annotations

from collections.abc import Sequence

from include.adapters.transcripts import read_transcripts
from include.rsp.quality import canaries_in
from include.rsp.review_parts import Trial

AT_ONCE = 256
"""Transcripts held in memory."""


def canaries_told(
    content: bytes, trials: Sequence[Trial], canaries: Sequence[str]
) -> list[list[str]]:
    """For each trial the canaries that occur in its messages, tool calls included.

    Args:
        content: the whole `.eval` log.
        trials: (sample id, epoch) of each.
        canaries: as the suite states them (`quality.canaries`).

    Raises:
        InvalidDocument: the log has no transcript of one of them: nobody can tell.
    """
    return [
        canaries_in("\n".join(one.text for one in transcript.messages), canaries)
        for first in range(0, len(trials), AT_ONCE)
        for transcript in read_transcripts(content, trials[first : first + AT_ONCE])
    ]
