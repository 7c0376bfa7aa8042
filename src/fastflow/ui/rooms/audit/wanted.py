"""Which entries a reader asks for: what the address says, in the form in which the log is asked."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from fastflow.kernel.audit.domain.entries import AuditFilter

BETWEEN = "between"
PERIODS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
FILTERS = ("actor", "action", "subject", "period", "since", "until")
_NOT_USERS = ("system", "anonymous")


def read_filter(given: Mapping[str, str], now: datetime) -> AuditFilter:
    """What is wanted; what cannot be read is left out."""
    period = given.get("period", "")
    is_between = period == BETWEEN
    since = now - PERIODS[period] if period in PERIODS else None
    return AuditFilter(
        actor=_actor(given.get("actor", "").strip()) or None,
        action=_action(given.get("action", "").strip()) or None,
        subject=given.get("subject", "").strip() or None,
        since=instant(given.get("since", "")) if is_between else since,
        until=instant(given.get("until", "")) if is_between else None,
    )


def instant(text: str) -> datetime | None:
    """An instant with its zone; None: it is none.

    >>> instant("2026-11-21T04:35:00Z").isoformat(), instant("yesterday"), instant("2026-11-21T04:35:00")
    ('2026-11-21T04:35:00+00:00', None, None)
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _actor(text: str) -> str:
    """A name alone is a user's."""
    return f"user:{text}" if text and ":" not in text and text not in _NOT_USERS else text


def _action(text: str) -> str:
    """A word alone is a kind: `run` gives `run.submit`, `run.cancel` and the others."""
    return f"{text}." if text and "." not in text else text
