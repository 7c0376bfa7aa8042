"""How people name a schedule: its id, the end of it, or `pipeline/name`; and how they write instants and durations."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastflow.cli.client import Api, part
from fastflow.cli.errors import ServerProblem, WrongUsage
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import Conflict, NotFound

_ID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_TAIL = re.compile(r"[0-9a-fA-F-]{6,36}")
_PAGE = 500
UNLIMITED = "unlimited"


def find_schedule(api: Api, reference: str) -> Mapping[str, Any]:
    """The schedule that is meant.

    Raises:
        NotFound: there is none.
        Conflict: several are meant; names them.
    """
    if _ID.fullmatch(reference):
        found: Mapping[str, Any] = api.get(f"/scheduler/jobs/{part(reference)}")
        return found
    pipeline, slash, name = reference.partition("/")
    if slash:
        matches = api.get("/scheduler/jobs", pipeline_name=pipeline, name=name)["items"]
    else:
        matches = [one for one in load_schedules(api) if _is_meant(one, reference)]
    if not matches:
        raise NotFound(
            f"No schedule is named {reference!r}.",
            code="schedule_not_found",
            hint="Give PIPELINE/NAME, the name alone when it is the only one, or an id; `GET /scheduler/jobs` shows them.",
        )
    if len(matches) > 1:
        told = [f"{one['id']}  {one['pipeline_name']}/{one['name']} ({one['origin']})" for one in matches[:10]]
        raise Conflict(
            "\n  ".join([f"Several schedules are named {reference!r}:", *told]),
            code="ambiguous_id",
            hint="Give the id of the one that is meant.",
        )
    one: Mapping[str, Any] = matches[0]
    return one


def load_schedules(api: Api, **filters: Any) -> Sequence[Mapping[str, Any]]:
    """Every schedule that fits, over all pages."""
    found: list[Mapping[str, Any]] = []
    cursor: str | None = None
    while True:
        page = api.get("/scheduler/jobs", limit=_PAGE, cursor=cursor, **filters)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _is_meant(one: Mapping[str, Any], reference: str) -> bool:
    is_tail = _TAIL.fullmatch(reference) is not None and str(one["id"]).endswith(reference.lower())
    return is_tail or reference == one["name"]


def read_instant(text: str | None, option: str, zone: str | None = None) -> str | None:
    """An instant as the API takes it; without an offset it is one of the zone, or of this machine's.

    Raises:
        WrongUsage: it is none.

    >>> read_instant("2026-11-21T04:35", "--from", "Europe/Berlin")
    '2026-11-21T04:35:00+01:00'
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise WrongUsage(
            f"{option} {text[:80]!r} is no instant.", hint="Write it as 2026-11-21, or as 2026-11-21T04:35."
        ) from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=_zone(zone)) if zone is not None else instant.astimezone()
    return instant.isoformat()


def _zone(name: str) -> Any:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # the API says what is wrong with it
        return UTC


def read_seconds(text: str | None, option: str) -> float | None:
    """A length of time in seconds; raises InvalidInput."""
    return None if text is None else 0.0 if text.strip() == "0" else parse_duration(text, option)


@contextmanager
def naming_options(**options: str) -> Iterator[None]:
    """Problems of the API's fields are told as those of the options that were typed; field -> option."""
    try:
        yield
    except ServerProblem as error:
        fields: dict[str, str] = {}
        for path, problem in error.fields.items():
            field = path.rpartition(".")[2]
            option = options.get(field, path)
            error.message = error.message.replace(f"{path}: {problem}", f"{option}: {problem}")
            fields[option] = problem
        error.fields = fields
        raise
