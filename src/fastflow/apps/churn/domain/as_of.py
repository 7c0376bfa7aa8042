"""An instant as of which data counts: what had been taken in by then was known, what came later was not."""

from datetime import UTC, datetime, timedelta

from .month import Month, MonthError

_SHORTEST = timedelta(microseconds=1)
HOW = "Write a month (202406), a day (2024-06-30) or an instant with its offset (2024-06-30T12:00:00Z)."


class AsOfError(ValueError):
    """A value is no such instant; the text says why, `HOW` what would be one."""


def read_as_of(value: object) -> datetime:
    """The instant in UTC; of a month or a day its last one.

    >>> read_as_of(202402).isoformat(), read_as_of("2024-02-01T12:00:00+02:00").isoformat()
    ('2024-02-29T23:59:59.999999+00:00', '2024-02-01T10:00:00+00:00')

    Raises:
        AsOfError: it is none.
    """
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    try:
        if len(text) == 6:
            after = Month.parse(text) + 1
            return datetime(after.year, after.number, 1, tzinfo=UTC) - _SHORTEST
        instant = datetime.fromisoformat(text)
        if len(text) == 10:
            return instant.replace(tzinfo=UTC) + timedelta(days=1) - _SHORTEST
        if instant.tzinfo is None:
            raise AsOfError("is no instant without its offset from UTC")
        return instant.astimezone(UTC)
    except (MonthError, ValueError, OverflowError) as error:
        if isinstance(error, AsOfError):
            raise
        raise AsOfError("is neither a month, a day nor an instant") from error


def written(instant: datetime) -> str:
    """The instant as experiments keep it."""
    return instant.isoformat(timespec="microseconds")
