"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""Where the fake clock starts: a winter noon, far from any change of clocks."""


class FakeClock:
    """Tells the time it was set to; `fastflow.kit.clock.Clock` for tests.

    Args:
        start: the first instant, aware.

    >>> clock = FakeClock()
    >>> before = clock.now()
    >>> clock.advance(90)
    >>> (clock.now() - before).total_seconds()
    90.0
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = _aware(start)

    def now(self) -> datetime:
        """The instant the clock stands at."""
        return self._now

    def advance(self, by: float | timedelta) -> None:
        """Move on by seconds or a timedelta; never back.

        Raises:
            ValueError: `by` is negative.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta(0):
            raise ValueError("a clock does not run backwards; use set() to jump")
        self._now += step

    def set(self, now: datetime) -> None:
        """Jump to an aware instant, also backwards."""
        self._now = _aware(now)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"naive datetime {moment!r}: give it a time zone")
    return moment.astimezone(UTC)
