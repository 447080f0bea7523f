"""Things and when each was last seen, countable by age without walking over them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable


class Times:
    """Digest → when last seen, in microseconds. The times are kept in order beside, from the first
    count on; `plain` is all there is to keep."""

    def __init__(self, plain: dict[int, int]) -> None:
        self.plain = plain
        self._order: list[int] | None = None

    def __len__(self) -> int:
        return len(self.plain)

    def __contains__(self, digest: object) -> bool:
        return digest in self.plain

    def since(self, since_us: int) -> int:
        """How many were seen since."""
        order = self._order
        if order is None:
            order = self._order = sorted(self.plain.values())
        return len(order) - bisect_left(order, since_us)

    def with_these(self, digests: Iterable[int], since_us: int) -> int:
        """How many were seen since, if `digests` (each once) are seen now."""
        count = self.since(since_us)
        for digest in digests:
            last = self.plain.get(digest)
            if last is None or last < since_us:
                count += 1
        return count

    def remember(self, digest: int, at_us: int, cap: int) -> None:
        """Seen now. Beyond `cap` an eighth goes, the oldest."""
        plain, order = self.plain, self._order
        last = plain.get(digest)
        if last is None:
            if len(plain) >= cap:
                for old in sorted(plain, key=plain.__getitem__)[: max(1, cap // 8)]:
                    del plain[old]
                order = self._order = None
        elif last >= at_us:
            return
        elif order is not None:
            del order[bisect_left(order, last)]
        plain[digest] = at_us
        if order is not None:
            if not order or at_us >= order[-1]:
                order.append(at_us)
            else:
                insort(order, at_us)

    def forget(self, digest: int) -> None:
        last = self.plain.pop(digest, None)
        if last is not None and self._order is not None:
            del self._order[bisect_left(self._order, last)]

    def forget_before(self, since_us: int) -> None:
        """Only what was seen since stays."""
        if self.since(since_us) < len(self.plain):
            self.plain = {d: t for d, t in self.plain.items() if t >= since_us}
            self._order = None
