"""How many lines one live reader may be sent now: a token bucket."""


class LineBudget:
    """Fills at `rate` lines per second up to one second's worth.

    Args:
        rate: lines per second, more than 0.
        now: seconds of a monotonic clock.
    """

    def __init__(self, rate: int, now: float) -> None:
        self.rate = rate
        self._tokens = max(1.0, rate)
        self._filled_at = now

    def available(self, now: float) -> int:
        """Whole lines that may be sent now."""
        self._tokens = min(max(1.0, self.rate), self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return int(self._tokens + 1e-9)

    def spend(self, lines: int) -> None:
        """Count `lines` as sent; `available` said that they may be."""
        self._tokens -= lines

    def seconds_until(self, lines: int, now: float) -> float:
        """Seconds until `lines` lines (at most one second's worth) may be sent."""
        self.available(now)
        wanted = min(float(lines), max(1.0, self.rate))
        return max(0.0, (wanted - self._tokens) / self.rate)
