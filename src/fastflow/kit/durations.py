"""Durations and sizes as people write them: `90`, `"10m"`, `"1h30m"`, `"512MB"`."""

import re

from fastflow.kit.errors import InvalidInput

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
_MAX_SECONDS = 10 * 365 * 86400.0


def parse_duration(value: object, field: str) -> float:
    """Seconds in `value`: a number of seconds, or text such as `"10m"` or `"1h30m"`.

    Raises:
        InvalidInput: not a duration, not positive, or longer than ten years; names `field`.

    >>> parse_duration("1h30m", "timeout")
    5400.0
    """
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and value.strip():
        text = value.strip().lower()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            seconds = float(text)
        elif "".join(m.group(0) for m in _PART.finditer(text)) == text:
            seconds = sum(float(n) * _UNIT_SECONDS[u] for n, u in _PART.findall(text))
    if seconds is None or not 0 < seconds <= _MAX_SECONDS:
        raise InvalidInput(
            f"{field} = {value!r} is not a duration.",
            code="invalid_duration",
            hint='Write seconds as a number, or text such as "90s", "10m", "1h30m"; it must be more than 0.',
            fields={field: f"{value!r} is not a duration"},
        )
    return seconds


def parse_size(value: object, field: str) -> int:
    """Bytes in `value`: a number of bytes, or text such as `"512MB"` (1 KB is 1024 bytes here, as in cgroups).

    Raises:
        InvalidInput: not a size or not positive; names `field`.

    >>> parse_size("1.5GB", "memory")
    1610612736
    """
    size: float | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        size = float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " ")
    if size is None or not 1 <= size < 2**62:
        raise InvalidInput(
            f"{field} = {value!r} is not a size.",
            code="invalid_size",
            hint='Write bytes as a whole number, or text such as "512MB" or "2GB".',
            fields={field: f"{value!r} is not a size"},
        )
    return int(size)


LEAST_MEMORY_BYTES = 16 << 20
"""With less, Python and a supervisor beside it cannot be counted on to start, in whatever executor."""


def parse_memory(value: object, field: str) -> int:
    """As `parse_size`, for what a run may use.

    Raises:
        InvalidInput: not a size, or less than any run needs; names `field`.

    >>> parse_memory("64MB", "memory")
    67108864
    """
    size = parse_size(value, field)
    if size < LEAST_MEMORY_BYTES:
        raise InvalidInput(
            f"{field} = {value!r} is less than a run needs to start.",
            code="invalid_size",
            hint='Write at least "16MB"; whoever imports large packages needs some hundred.',
            fields={field: f"{value!r} is less than 16MB"},
        )
    return size
