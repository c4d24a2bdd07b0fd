"""In which ways one review of transcripts is looser than another (DESIGN I7; adoption)."""

from __future__ import annotations

from collections.abc import Iterator

from include.rsp.review_parts import TranscriptReview

LESS_IS_LOOSER = ("share", "at_least")
MORE_IS_LOOSER = ("at_most", "within_hours", "max_invalidated")
"""`at_most` too: what is more than that was not ruled out before."""


def review_loosenings(
    where: str, old: TranscriptReview | None, new: TranscriptReview | None
) -> Iterator[str]:
    """Every way in which people look less closely than before; asking for a review is none."""
    if old is None:
        return
    if new is None:
        yield f"{where} is gone: nobody reads transcripts any more"
        return
    for field in (*LESS_IS_LOOSER, *MORE_IS_LOOSER):
        was, now = getattr(old, field), getattr(new, field)
        if now < was if field in LESS_IS_LOOSER else now > was:
            yield f"{where}.{field} {was:g} → {now:g}"
    gone = [one.value for one in old.triggers if one not in new.triggers]
    if gone:
        yield f"{where}.triggers no longer has {', '.join(gone)}"
    if set(new.reviewers) - set(old.reviewers):
        yield f"{where}.reviewers {old.reviewers} → {new.reviewers}: people must compare"
