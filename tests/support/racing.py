"""Many writers of one key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from include.adapters.store import Store
from include.rsp.errors import AlreadyExists


def one_wins(store: Store, key: str) -> None:
    """Sixteen write different content, eight at a time: one of them wins, and it is its content
    that is there.
    """

    def write(number: int) -> bool:
        try:
            store.put_new(key, str(number).encode())
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(16)))
    assert sum(won) == 1
    assert store.get(key) == str(won.index(True)).encode()
