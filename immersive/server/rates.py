"""Token buckets: how often something may happen, on a clock given by the caller."""

from __future__ import annotations

from collections import OrderedDict


class TokenBucket:
    """Allows `rate_per_s` events in the long run and `burst` at once."""

    __slots__ = ("_burst", "_rate", "_then", "_tokens")

    def __init__(self, rate_per_s: float, burst: float, now_s: float) -> None:
        self._rate, self._burst = rate_per_s, burst
        self._tokens, self._then = burst, now_s

    def take(self, now_s: float) -> bool:
        """Return whether one more event may happen now, and count it if so."""
        earned = (now_s - self._then) * self._rate
        # What was given beyond the burst stays; only what time brings is capped.
        self._tokens = max(self._tokens, min(self._burst, self._tokens + earned))
        self._then = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def give(self) -> None:
        """Allow one event more, on top of rate and burst."""
        self._tokens += 1.0


class BucketPerAddress:
    """One token bucket for each address, for the most recently seen ones."""

    def __init__(self, rate_per_s: float, burst: float, most_addresses: int) -> None:
        self._rate, self._burst, self._most = rate_per_s, burst, most_addresses
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: str, now_s: float) -> bool:
        """Return whether `address` may do it once more now, and count it if so."""
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = self._buckets[address] = TokenBucket(self._rate, self._burst, now_s)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(address)
        return bucket.take(now_s)
