"""Lengths of time and sizes in words."""


def seconds(value: float | None) -> str:
    """A duration.

    >>> seconds(0.0421), seconds(12.34), seconds(3725)
    ('42 ms', '12.3 s', '1 h 2 min')
    """
    if value is None:
        return "-"
    if value < 1:
        return f"{max(0.0, value) * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def size(value: int | None) -> str:
    """A size in bytes.

    >>> size(512), size(1536), size(5 * 2**30)
    ('512 B', '1.5 KB', '5.0 GB')
    """
    if value is None:
        return "-"
    number = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"
